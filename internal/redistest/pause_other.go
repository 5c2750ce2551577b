//go:build !unix

package redistest

// Pause fails the test: only Unix can stop a process without ending it.
func (s *Server) Pause() { s.t.Fatal("redistest: no way to pause a process here") }

// Continue ends a pause.
func (s *Server) Continue() { s.t.Fatal("redistest: no way to continue a process here") }
