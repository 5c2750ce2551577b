package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gohubkit/hubkit/protocol"
)

// Subscription is a room that the client is in, over all connections.
type Subscription struct {
	c       *Client
	room    string
	seq     uint64
	given   bool // the server has put the client into the room
	history int

	onMessage  func(*Subscription, Message)
	onGap      func(Gap)
	onPresence func(joined bool, m Member)
	onChanged  func(count int, spread time.Duration)
	onError    func(error)
	token      func(context.Context) (string, error)

	ready chan struct{} // closed by resolve

	mu       sync.Mutex
	seen     Position // of the last message whose callback has returned
	closed   bool
	resolved bool
	readyErr error

	// Of the goroutine that reads, and of Run's while nothing is read.
	next   Position    // what comes is to follow it; zero before there was any
	joined bool        // on this connection
	inside bool        // on any connection
	asked  *connection // the connection whose hello has the room
	again  bool        // refused for the rate once on this connection

	crowded bool // refused because the connection is in too many rooms; guarded by Client.mu
}

// SubOption configures a Subscription. Subscribe reports every fault of every option together.
type SubOption func(*Subscription) error

// Since resumes from a position, such as one that Subscription.Position returned in an earlier process. By default a
// subscription begins with the next message. Since excludes Newest.
func Since(p Position) SubOption {
	return func(s *Subscription) error {
		s.next, s.seen = p, p
		return errors.Join(
			require(p.Epoch != "", "Since: no epoch"),
			require(p.Offset <= protocol.MaxOffset, "Since: offset %d, at most %d", p.Offset, uint64(protocol.MaxOffset)))
	}
}

// Newest begins with the newest n messages that the room has kept. By default a subscription begins with the next
// message. n must be positive. Newest excludes Since.
func Newest(n int) SubOption {
	return func(s *Subscription) error {
		s.history = n
		return require(n >= 1 && n <= protocol.MaxHistory, "Newest: %d, must be from 1 to %d", n, protocol.MaxHistory)
	}
}

// OnGap sets a function that is called if the client has lost messages of the room. By default the loss is logged.
func OnGap(f func(Gap)) SubOption {
	return func(s *Subscription) error {
		s.onGap = f
		return require(f != nil, "OnGap: nil function")
	}
}

// OnPresence sets a function that is called when a member has joined or left the room. The default is none.
func OnPresence(f func(joined bool, m Member)) SubOption {
	return func(s *Subscription) error {
		s.onPresence = f
		return require(f != nil, "OnPresence: nil function")
	}
}

// OnMembersChanged sets a function that is called if a list kept from OnPresence is no longer right. This happens if
// more members came and went than the server reports one by one, or if their events were lost. count is the current
// number of members; it is negative if the server does not know. To renew the list, wait a random time up to spread
// and call [Client.Presence]. By default the event is logged for subscriptions with OnPresence.
func OnMembersChanged(f func(count int, spread time.Duration)) SubOption {
	return func(s *Subscription) error {
		s.onChanged = f
		return require(f != nil, "OnMembersChanged: nil function")
	}
}

// OnError sets a function that is called with the subscription's errors. By default they are logged.
//
//   - [*RoomError]: the server refused the room, or a message of the room was above the read limit.
//   - [*DecodeError]: a message of SubscribeJSON did not decode.
//   - [*LeftError]: the server has taken the client out of the room. It is the last call for this subscription,
//     which has ended. The client may subscribe again, and the server decides anew.
//
// The client tries a refused room again at the next connection. It tries earlier if the server refuses it only for
// now, and, after too_many_rooms, when the client has left another room.
func OnError(f func(error)) SubOption {
	return func(s *Subscription) error {
		s.onError = f
		return require(f != nil, "OnError: nil function")
	}
}

// RoomToken sets a function that returns a new token for the room when the right to be in it needs one. The default
// is the function of [WithToken], and the same rules apply to f.
func RoomToken(f func(context.Context) (string, error)) SubOption {
	return func(s *Subscription) error {
		s.token = f
		return require(f != nil, "RoomToken: nil function")
	}
}

// checkRoom wants 1 to 255 bytes of UTF-8 without control characters.
func checkRoom(room string) error {
	if room == "" || len(room) > 255 || !utf8.ValidString(room) {
		return invalid("room name of %d bytes, must be 1 to 255 of UTF-8", len(room))
	}
	for _, r := range room {
		if unicode.IsControl(r) {
			return invalid("room name with control character %U", r)
		}
	}
	return nil
}

// Room returns the room's name.
func (s *Subscription) Room() string { return s.room }

// Position returns the position of the last message, or gap, whose callback has returned. Before the first, it is the
// position at which the stream began. It is zero in rooms without history. A process that stores it, and starts the
// next time with Since, sees each message at least once.
func (s *Subscription) Position() Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// Ready blocks until the server has answered for the first time. It returns nil if the client is in the room. It
// returns a [*RoomError] if the room was refused; a later attempt may succeed. The error matches ErrClosed if the
// subscription or the client ended before. If ctx is done first, the error is the cause of ctx.
func (s *Subscription) Ready(ctx context.Context) error {
	select {
	case <-s.ready:
		return s.readyErr
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Unsubscribe ends the subscription. A callback under way may outlast the call, and no other follows. Unsubscribe blocks
// until the server has answered, the connection is lost or ctx is done. In the last case it returns the cause of ctx. The
// subscription has ended in all three cases. A second call does nothing.
func (s *Subscription) Unsubscribe(ctx context.Context) error {
	r := s.end()
	if r == nil {
		return nil
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stop ends the subscription like Unsubscribe, but does not block. A callback may call it. A second call does
// nothing.
func (s *Subscription) Stop() { s.end() }

// end returns the leave to wait for, if any.
func (s *Subscription) end() *request {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.resolve(fmt.Errorf("room %q: %w", s.room, ErrClosed))
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.has(s) {
		return nil // the server has taken the client out of the room
	}
	c.forget(s)
	if c.live == nil {
		return nil
	}
	return c.leave(s.room)
}

// resolve sets what Ready returns, once.
func (s *Subscription) resolve(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.resolved {
		s.resolved, s.readyErr = true, err
		close(s.ready)
	}
}

// entered notes that the server has let the client in. The stream starts after pos; when the client
// has named a position, it starts after that one, or a gap follows. It reports whether this is the first time.
func (s *Subscription) entered(pos Position) (first bool) {
	s.joined = true
	if s.next.IsZero() {
		s.next = pos
		s.mu.Lock()
		if s.seen.IsZero() {
			s.seen = pos
		}
		s.mu.Unlock()
	}
	first = !s.inside
	s.inside = true
	s.resolve(nil)
	return first
}

// The methods below are the dispatcher's.

func (s *Subscription) deliver(m Message) {
	if s.ended() {
		return
	}
	s.onMessage(s, m)
	if !m.Position.IsZero() {
		s.see(m.Position)
	}
}

func (s *Subscription) skip(g Gap) {
	if s.ended() {
		return
	}
	if s.onGap != nil {
		s.onGap(g)
	}
	s.see(g.To)
}

// pass is told of a message that was not for the client.
func (s *Subscription) pass(p Position) {
	if !s.ended() {
		s.see(p)
	}
}

func (s *Subscription) present(joined bool, m Member) {
	if !s.ended() {
		s.onPresence(joined, m)
	}
}

func (s *Subscription) changed(count int, spread time.Duration) {
	if !s.ended() {
		s.onChanged(count, spread)
	}
}

// lose ends the subscription of a room that the client is not in any more.
func (s *Subscription) lose(err error) {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	s.resolve(err)
	if !closed && s.onError != nil {
		s.onError(err)
	}
}

func (s *Subscription) fail(err error) {
	if !s.ended() {
		s.onError(err)
	}
}

func (s *Subscription) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *Subscription) see(p Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = p
}
