package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gohubkit/hubkit/client"
)

// watch prints the messages of some rooms until ctx ends: the room, the offset, the message.
func watch(ctx context.Context, url string, rooms []string, stdout io.Writer) error {
	if len(rooms) == 0 {
		return errUsage
	}
	c, err := client.New(url)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		opts := []client.SubOption{client.OnError(func(err error) { _, _ = fmt.Fprintln(stdout, err) })}
		if strings.HasPrefix(room, orderRooms) {
			opts = append(opts, client.Newest(1)) // how the order stands
		}
		// No lock: the client makes one call at a time.
		show := func(m client.Message) {
			_, _ = fmt.Fprintf(stdout, "%s %d %s\n", m.Room, m.Position.Offset, m.Data)
		}
		if _, err := c.Subscribe(room, show, opts...); err != nil {
			return err
		}
	}
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
