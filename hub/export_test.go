package hub

// WithoutPoller makes connections take the path of systems without a poller: a goroutine each.
func WithoutPoller() Option {
	return func(c *config) error {
		c.noPoller = true
		return nil
	}
}
