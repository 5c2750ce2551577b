package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tailed is a message of a room, or a frame of a connection, that api/tail has.
type tailed struct {
	Room   string          `json:"room"`
	Conn   string          `json:"conn"`
	In     bool            `json:"in"`
	Kind   string          `json:"kind"`
	Epoch  string          `json:"epoch"`
	Offset uint64          `json:"offset"`
	Time   time.Time       `json:"time"`
	Bytes  int             `json:"bytes"`
	Data   json.RawMessage `json:"data"` // absent unless the dashboard allows it
}

// maxLine bounds a line of the stream, in bytes.
const maxLine = 4 << 20

// tail follows the messages of a room, or the frames of a connection.
func tail(ctx context.Context, t *tool, args []string) error {
	flags := newFlags("tail", t.err)
	most := flags.Int("count", 0, "end after so many `messages`; the default is never")
	conn := flags.Bool("conn", false, "the name is a connection's `ID`: follow its frames, on its own node's dashboard")
	if err := t.parse(flags, args, 1); err != nil {
		return err
	}
	by := "room"
	if *conn {
		by = "conn"
	}
	resp, err := t.api.do(ctx, http.MethodGet, "tail", url.Values{by: {flags.Arg(0)}}, nil)
	if err != nil {
		return err
	}
	defer closeBody(resp)
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	seen := 0
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue // a comment, or the end of an event
		}
		if err := t.printTailed(strings.TrimPrefix(data, " ")); err != nil {
			return err
		}
		if seen++; seen == *most {
			return nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil // Ctrl-C
	case lines.Err() != nil:
		return fmt.Errorf("the stream was cut: %w", lines.Err())
	}
	return errors.New("the dashboard ended the stream")
}

func (t *tool) printTailed(line string) error {
	if t.json {
		_, err := fmt.Fprintln(t.out, line)
		return err
	}
	var m tailed
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		return fmt.Errorf("the stream has something that is no message: %w", err)
	}
	at := "-"
	switch {
	case m.Conn != "" && m.In:
		at = "in  " + printable(m.Kind)
	case m.Conn != "":
		at = "out " + printable(m.Kind)
	case m.Epoch != "":
		at = fmt.Sprintf("%s:%d", printable(m.Epoch), m.Offset)
	}
	when := m.Time.Local()
	if m.Time.IsZero() {
		when = time.Now()
	}
	_, err := fmt.Fprintf(t.out, "%s  %s  %s  %s\n", when.Format("15:04:05.000"), at, size(int64(m.Bytes)), printable(string(m.Data)))
	return err
}
