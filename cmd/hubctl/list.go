package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gohubkit/hubkit/hub"
)

// nodes lists the nodes.
func nodes(ctx context.Context, t *tool, args []string) error {
	if err := t.parse(newFlags("nodes", t.err), args, 0); err != nil {
		return err
	}
	if t.json {
		return t.raw(ctx, "nodes", nil)
	}
	ctx, cancel := t.within(ctx)
	defer cancel()
	var page nodePage
	if err := t.api.get(ctx, "nodes", nil, &page); err != nil {
		return err
	}
	out := newTable(t.out, "NODE", "UP", "STATE", "CONNS", "USERS", "ROOMS")
	for _, n := range page.Nodes {
		out.row(n.Node, age(time.Since(n.Since)), stateOf(n.NodeInfo), count(int64(n.Conns)), count(int64(n.Users)), count(int64(n.Rooms)))
	}
	if err := out.end(); err != nil {
		return err
	}
	return t.silent(page.Silent)
}

// nodePage is the answer to api/nodes.
type nodePage struct {
	Nodes  []node   `json:"nodes"`
	Silent []string `json:"silent"`
}

type node struct {
	hub.NodeInfo
	Stats map[string]json.RawMessage `json:"stats"`
}

// stateOf is a node's state in a word.
func stateOf(n hub.NodeInfo) string {
	switch {
	case n.Draining:
		return "draining"
	case n.Stale:
		return "stale"
	case !n.Ready:
		return "not ready"
	}
	return "ready"
}

// conns lists connections.
func conns(ctx context.Context, t *tool, args []string) error {
	flags, query := newFlags("conns", t.err), make(url.Values)
	setsQuery(flags, query, map[string]string{
		"user": "only those of this `user`", "room": "only those in this `room`", "session": "only those of this `session`",
		"conn": "only this connection, by its `ID`", "node": "only those of this `node`",
	})
	all := pages(flags, query, "slowest", "those with the largest backlog first, and none without one")
	if err := t.parse(flags, args, 0); err != nil {
		return err
	}
	if t.json && !*all {
		return t.raw(ctx, "conns", query)
	}
	out := newTable(t.out, "CONN", "NODE", "USER", "ADDRESS", "STATE", "AGE", "SILENT", "ROOMS", "RECEIVED", "SENT", "BACKLOG", "DROPPED")
	return list(ctx, t, "conns", query, *all, out, func(c hub.ConnInfo) {
		out.row(c.ID, c.Node, c.User, c.Addr, c.State, age(time.Since(c.Since)), age(time.Since(c.LastMessage)), roomsOf(c),
			traffic(c.ReceivedMessages, c.ReceivedBytes), traffic(c.SentMessages, c.SentBytes), backlogOf(c), count(c.Dropped+c.Conflated))
	})
}

func roomsOf(c hub.ConnInfo) string {
	if c.RoomCount > 3 {
		return fmt.Sprintf("%d rooms", c.RoomCount)
	}
	return strings.Join(c.Rooms, " ")
}

// traffic is what went one way.
func traffic(messages, bytes int64) string {
	return fmt.Sprintf("%s, %s", count(messages), size(bytes))
}

func backlogOf(c hub.ConnInfo) string {
	if c.BacklogMessages == 0 {
		return ""
	}
	return fmt.Sprintf("%d, %s", c.BacklogMessages, size(int64(c.BacklogBytes)))
}

// rooms lists rooms.
func rooms(ctx context.Context, t *tool, args []string) error {
	flags, query := newFlags("rooms", t.err), make(url.Values)
	setsQuery(flags, query, map[string]string{
		"contains": "only those with this `text` in their names", "room": "only this `room`", "node": "only those of this `node`",
	})
	all := pages(flags, query, "largest", "those with the most members first")
	if err := t.parse(flags, args, 0); err != nil {
		return err
	}
	if t.json && !*all {
		return t.raw(ctx, "rooms", query)
	}
	out := newTable(t.out, "ROOM", "NODE", "MEMBERS", "RULE", "HISTORY", "PRESENCE")
	return list(ctx, t, "rooms", query, *all, out, func(r hub.RoomInfo) {
		out.row(r.Name, r.Node, count(int64(r.Members)), r.Rule, yes(r.History), yes(r.Presence))
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// list lists what one page has, or all pages: in rows, or with -json as an object a line.
func list[T any](ctx context.Context, t *tool, path string, query url.Values, all bool, out *table, row func(T)) error {
	var silent []string
	err := eachPage(ctx, t, path, query, all, func(page hubPage[T]) error {
		silent = append(silent, page.Silent...)
		for _, item := range append(page.Conns, page.Rooms...) { // it has one of them
			if !t.json {
				row(item)
			} else if err := json.NewEncoder(t.out).Encode(item); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && !t.json {
		err = out.end()
	}
	if err != nil {
		return err
	}
	return t.silent(silent)
}

// hubPage is a page of either kind.
type hubPage[T any] struct {
	Conns  []T      `json:"conns"`
	Rooms  []T      `json:"rooms"`
	Next   string   `json:"next"`
	Silent []string `json:"silent"`
}

// eachPage calls f for one page, or for all.
func eachPage[T any](ctx context.Context, t *tool, path string, query url.Values, all bool, f func(hubPage[T]) error) error {
	for {
		var page hubPage[T]
		if err := func() error {
			ctx, cancel := t.within(ctx)
			defer cancel()
			return t.api.get(ctx, path, query, &page)
		}(); err != nil {
			return err
		}
		if err := f(page); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		if !all {
			_, _ = fmt.Fprintln(t.err, "hubctl: there are more; -all lists them")
			return nil
		}
		query.Set("after", page.Next)
	}
}

// setsQuery has flags set the parameters of their names.
func setsQuery(flags *flag.FlagSet, query url.Values, names map[string]string) {
	for name, does := range names {
		flags.Func(name, does, func(s string) error {
			query.Set(name, s)
			return nil
		})
	}
}

// pages has flags say how much is listed, and in which order. It returns whether all pages are.
func pages(flags *flag.FlagSet, query url.Values, order, does string) (all *bool) {
	flags.Func("limit", "entries of each node in a page, a `number` from 1 to 1000 (default 100)", func(s string) error {
		if n, err := strconv.Atoi(s); err != nil || n < 1 || n > 1000 {
			return fmt.Errorf("want a number from 1 to 1000")
		}
		query.Set("limit", s)
		return nil
	})
	flags.BoolFunc(order, does, func(s string) error {
		if on, err := strconv.ParseBool(s); err != nil {
			return err
		} else if on {
			query.Set(order, "1")
		}
		return nil
	})
	return flags.Bool("all", false, "all pages; with -json one object a line")
}

// raw prints an answer as it is.
func (t *tool) raw(ctx context.Context, path string, query url.Values) error {
	ctx, cancel := t.within(ctx)
	defer cancel()
	var answer json.RawMessage
	if err := t.api.get(ctx, path, query, &answer); err != nil {
		return err
	}
	return t.printJSON(answer)
}

func (t *tool) printJSON(v any) error {
	e := json.NewEncoder(t.out)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	var page struct {
		Silent []string `json:"silent"`
	}
	if p, ok := v.(json.RawMessage); ok && json.Unmarshal(p, &page) == nil && len(page.Silent) > 0 {
		return t.silent(page.Silent)
	}
	return nil
}

// silent says which nodes did not answer.
func (t *tool) silent(names []string) error {
	if len(names) == 0 {
		return nil
	}
	for i := range names {
		names[i] = printable(names[i])
	}
	_, _ = fmt.Fprintln(t.err, "hubctl: no answer from", strings.Join(names, ", "))
	return errIncomplete
}
