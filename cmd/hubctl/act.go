package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gohubkit/hubkit/protocol"
)

// target says which connections an action is about. One of its fields is set.
type target struct {
	User    string `json:"user,omitempty"`
	Session string `json:"session,omitempty"`
	Conn    string `json:"conn,omitempty"`
	Room    string `json:"room,omitempty"`
}

// flags has flags set the target, by room too if that is one.
func (w *target) flags(flags *flag.FlagSet, byRoom bool) {
	flags.StringVar(&w.User, "user", "", "all connections of this `user`")
	flags.StringVar(&w.Session, "session", "", "all connections of this `session`")
	flags.StringVar(&w.Conn, "conn", "", "this connection, by its `ID`")
	if byRoom {
		flags.StringVar(&w.Room, "room", "", "all connections in this `room`")
	}
}

// given are the flags of a target that are set, with their values.
func (w *target) given() (set []string) {
	for _, f := range [][2]string{{"user", w.User}, {"session", w.Session}, {"conn", w.Conn}, {"room", w.Room}} {
		if f[1] != "" {
			set = append(set, f[0]+" "+printable(f[1]))
		}
	}
	return set
}

// disconnect is the body of api/disconnect.
type disconnect struct {
	target

	Code         protocol.CloseCode `json:"code"`
	Reason       string             `json:"reason,omitempty"`
	RetryAfterMS int64              `json:"retry_after_ms,omitempty"`
	SpreadMS     int64              `json:"spread_ms,omitempty"`
}

// kick closes connections.
func kick(ctx context.Context, t *tool, args []string) error {
	flags := newFlags("kick", t.err)
	var d disconnect
	d.flags(flags, true)
	code := flags.Int("code", int(protocol.CloseDisconnected), "the close `code`; 4000 to 4099 let clients come back")
	flags.StringVar(&d.Reason, "reason", "", "reason sent to the client, at most 123 bytes")
	after := flags.Duration("retry-after", 0, "when the client comes back")
	spread := flags.Duration("spread", 0, "a random part of this on top")
	sure := flags.Bool("yes", false, "do not ask")
	if err := t.parse(flags, args, 0); err != nil {
		return err
	}
	d.Code, d.RetryAfterMS, d.SpreadMS = protocol.CloseCode(*code), after.Milliseconds(), spread.Milliseconds()
	whose := d.given()
	if len(whose) != 1 {
		return t.misuse("kick: give one of -user, -session, -conn and -room")
	}
	if !d.Code.Sendable() {
		return t.misuse("kick: %d cannot be sent as a close code", *code)
	}
	if !t.confirmed(*sure, "close all connections of %s?", whose[0]) {
		return errUsage
	}
	ctx, cancel := t.within(ctx)
	defer cancel()
	var answer json.RawMessage
	if err := t.api.post(ctx, "disconnect", d, &answer); err != nil {
		return err
	}
	if t.json {
		return t.printJSON(answer)
	}
	var done struct {
		Nodes  map[string]int
		Silent []string
		Total  int
	}
	if err := json.Unmarshal(answer, &done); err != nil {
		return fmt.Errorf("the answer is no JSON of a dashboard: %w", err)
	}
	_, _ = fmt.Fprintf(t.out, "closed %d\n", done.Total)
	for _, n := range slices.Sorted(maps.Keys(done.Nodes)) {
		if done.Nodes[n] > 0 {
			_, _ = fmt.Fprintf(t.out, "  %s: %d\n", printable(n), done.Nodes[n])
		}
	}
	return t.silent(done.Silent)
}

// remove takes connections out of a room.
func remove(ctx context.Context, t *tool, args []string) error {
	flags := newFlags("remove", t.err)
	var whose target
	whose.flags(flags, false)
	room := flags.String("room", "", "the `room` that they are taken out of")
	reason := flags.String("reason", "", "what the client is told")
	sure := flags.Bool("yes", false, "do not ask")
	if err := t.parse(flags, args, 0); err != nil {
		return err
	}
	given := whose.given()
	if len(given) != 1 || *room == "" {
		return t.misuse("remove: give -room, and one of -user, -session and -conn")
	}
	if !t.confirmed(*sure, "take %s out of %s?", given[0], printable(*room)) {
		return errUsage
	}
	return t.act(ctx, "remove", struct {
		target
		Room   string `json:"room"`
		Reason string `json:"reason,omitempty"`
	}{whose, *room, *reason}, "removed")
}

// send sends a message to connections.
func send(ctx context.Context, t *tool, args []string) error {
	flags := newFlags("send", t.err)
	var whose target
	whose.flags(flags, true)
	if err := t.parse(flags, args, 1); err != nil {
		return err
	}
	if len(whose.given()) != 1 {
		return t.misuse("send: give one of -user, -session, -conn and -room")
	}
	data, err := t.message("send", flags.Arg(0))
	if err != nil {
		return err
	}
	return t.act(ctx, "send", struct {
		target
		Data json.RawMessage `json:"data"`
	}{whose, data}, "sent")
}

// message is an argument that has to be JSON.
func (t *tool) message(command, arg string) (json.RawMessage, error) {
	if data := json.RawMessage(arg); json.Valid(data) {
		return data, nil
	}
	return nil, t.misuse("%s: the message is not JSON; put a text in quotes: '\"%s\"'", command, printable(arg))
}

// publish publishes a message.
func publish(ctx context.Context, t *tool, args []string) error {
	flags := newFlags("publish", t.err)
	if err := t.parse(flags, args, 2); err != nil {
		return err
	}
	data, err := t.message("publish", flags.Arg(1))
	if err != nil {
		return err
	}
	return t.act(ctx, "publish", struct {
		Room string          `json:"room"`
		Data json.RawMessage `json:"data"`
	}{flags.Arg(0), data}, "published")
}

// drain has a node close its connections and end.
func drain(ctx context.Context, t *tool, args []string) error {
	flags := newFlags("drain", t.err)
	sure := flags.Bool("yes", false, "do not ask")
	if err := t.parse(flags, args, 1); err != nil {
		return err
	}
	if !t.confirmed(*sure, "drain node %s?", printable(flags.Arg(0))) {
		return errUsage
	}
	return t.act(ctx, "drain", map[string]string{"node": flags.Arg(0)}, "draining")
}

// act does an action that answers with nothing worth a table.
func (t *tool) act(ctx context.Context, path string, action any, done string) error {
	ctx, cancel := t.within(ctx)
	defer cancel()
	var answer json.RawMessage
	if err := t.api.post(ctx, path, action, &answer); err != nil {
		return err
	}
	if t.json && len(answer) > 0 {
		return t.printJSON(answer)
	}
	_, err := fmt.Fprintln(t.out, done)
	return err
}

// confirmed asks whether an action is meant.
func (t *tool) confirmed(sure bool, format string, args ...any) bool {
	if sure {
		return true
	}
	_, _ = fmt.Fprintf(t.err, format+" Type yes: ", args...)
	line, _ := bufio.NewReader(t.in).ReadString('\n') // its end is a no
	if strings.TrimSpace(line) == "yes" {
		return true
	}
	_, _ = fmt.Fprintln(t.err, "nothing was done")
	return false
}
