package redis

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gohubkit/hubkit/internal/resp"
)

// samples has, for each command that the broker or one of its scripts may send, arguments behind the key with which it can do
// no harm to a key that nobody else has.
var samples = map[string][]string{
	"DEL": {}, "EXISTS": {}, "GET": {}, "PEXPIRE": {"1"}, "PTTL": {}, "SET": {"", "PX", "1"},
	"HDEL": {"f"}, "HGET": {"f"}, "HGETALL": {}, "HMGET": {"f"}, "HSET": {"f", ""},
	"LINDEX": {"0"}, "LLEN": {}, "LPOP": {}, "LRANGE": {"0", "0"}, "LREM": {"0", ""}, "LSET": {"0", ""},
	"RPUSH": {""},
	"ZADD":  {"0", "m"}, "ZLEXCOUNT": {"-", "+"}, "ZRANGEBYLEX": {"-", "+"},
	"ZREM": {"m"},
}

// direct are the commands that the broker sends, besides those for channels.
var direct = []string{"GET", "SET", "EXISTS"}

var called = regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)

// commandsOf are the commands that scripts send, but for those whose names are arguments.
func commandsOf(scripts ...string) (names []string) {
	for _, s := range scripts {
		for _, m := range called.FindAllStringSubmatch(s, -1) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// attempt is a command by which is found out what the user may not do.
type attempt struct {
	command []string
	key     string // that it names
	channel string // that it names
}

// attempts are what this broker must be allowed to do: everything if it hears others, else what publishing takes.
func (b *Broker) attempts(key string) (all []attempt) {
	names := slices.Concat(direct, commandsOf(allScripts...))
	channels := []string{key}
	if b.receiver == nil {
		names = slices.Concat(direct, commandsOf(publishSource))
	} else {
		channels = append(channels, b.names.broadcast(), b.names.node(b.node))
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		switch args, ok := samples[name]; {
		case name == "TIME":
			all = append(all, attempt{command: []string{name}})
		case ok && name != "DEL":
			all = append(all, attempt{command: append([]string{name, key}, args...), key: key})
		}
	}
	all = append(all,
		attempt{command: []string{"PING"}},
		attempt{command: []string{"EVAL", "return 1", "1", key}, key: key},
		attempt{command: []string{"EVALSHA", strings.Repeat("0", 40), "1", key}, key: key},
		attempt{command: []string{"EXISTS", b.names.nodes()}, key: b.names.nodes()},
		attempt{command: []string{"EXISTS", b.names.secret("")}, key: b.names.secret("")})
	if !b.cluster {
		keys := b.names.publisher("", "", false)
		all = append(all, attempt{command: []string{"EXISTS", keys}, key: keys})
	}
	for _, c := range channels {
		c = b.names.onWire(c)
		if c != b.names.onWire(key) { // commands to all nodes, and none is sent
			all = append(all, attempt{command: []string{strings.ToUpper(b.verbs.subscribe), c}, channel: c})
			continue
		}
		all = append(all, attempt{command: []string{b.verbs.publish, c, ""}, channel: c})
		if b.receiver != nil {
			all = append(all, attempt{command: []string{strings.ToUpper(b.verbs.subscribe), c}, channel: c})
		}
	}
	if b.receiver != nil {
		all = append(all, attempt{command: []string{strings.ToUpper(b.verbs.unsubscribe)}})
	}
	return append(all, attempt{command: []string{"DEL", key}, key: key}) // what the others have left
}

// missing says what a refusal means for who writes the ACL.
func (a *attempt) missing(reply string) string {
	switch {
	case strings.Contains(reply, " to run "):
	case a.channel != "" && strings.Contains(reply, "channel"):
		return "&" + a.channel
	case a.key != "" && strings.Contains(reply, " key"):
		return "~" + a.key
	}
	return "+" + strings.ToLower(a.command[0])
}

// checkPermissions tries out what the broker needs on a connection of its own. The error names all that the server's user may
// not do.
func (b *Broker) checkPermissions(ctx context.Context) error {
	addr := ""
	for a := range b.routes.table.Load().servers {
		addr = a
	}
	conn, err := b.connect(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, b.ioTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if !b.cluster && conn.Mode() == "cluster" {
		return errNoSlots
	}
	all := b.attempts(b.routes.probe(addr))
	var out []byte
	for _, a := range all {
		out = resp.AppendCommand(out, a.command...)
	}
	if _, err := conn.Write(out); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	var missing []string
	for i := range all {
		refused, err := answerTo(conn, &all[i])
		if err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if refused != "" && !slices.Contains(missing, refused) {
			missing = append(missing, refused)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: it lacks %s", errPermissions, strings.Join(missing, " "))
	}
	return nil
}

var (
	errPermissions = errors.New("NOPERM: the ACL of the Redis user is too narrow")
	errNoSlots     = fmt.Errorf("%w: it lacks +cluster|slots, and the server is one of a cluster", errPermissions)
)

// answerTo reads the answer to an attempt, and returns what was refused.
func answerTo(conn *resp.Conn, a *attempt) (refused string, err error) {
	for {
		v, ok, err := conn.Next()
		switch {
		case err != nil:
			return "", err
		case !ok:
			if err := conn.Fill(func() {}); err != nil {
				return "", err
			}
			continue
		case v.Kind == resp.Push:
			if len(v.Elems) > 0 && strings.EqualFold(string(v.Elems[0].Text), a.command[0]) {
				return "", nil
			}
			continue // of a channel that has been subscribed to
		}
		err = v.Err()
		if conditionOf(err) == denied {
			refused = a.missing(err.Error())
		}
		return refused, nil
	}
}
