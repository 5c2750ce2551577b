package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// redisCPU asks a Redis server for the processor time of its main thread, in seconds.
func redisCPU(ctx context.Context, addr string) (float64, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return 0, err
	}
	// An inline command and its answer, a bulk string: redis.io, "Redis serialization protocol".
	if _, err := io.WriteString(conn, "INFO cpu\r\n"); err != nil {
		return 0, err
	}
	r := bufio.NewReader(conn)
	head, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	size, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(head, "$")))
	if err != nil || size < 0 || size > 1<<20 {
		return 0, fmt.Errorf("redis answered %q", head)
	}
	info := make([]byte, size)
	if _, err := io.ReadFull(r, info); err != nil {
		return 0, err
	}
	return mainThreadCPU(string(info))
}

// mainThreadCPU adds up what INFO says of the main thread.
func mainThreadCPU(info string) (total float64, err error) {
	for _, name := range []string{"used_cpu_user_main_thread:", "used_cpu_sys_main_thread:"} {
		_, rest, ok := strings.Cut(info, name)
		if !ok {
			return 0, fmt.Errorf("redis: no %s in %q", name, info)
		}
		value, _, _ := strings.Cut(rest, "\r\n")
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("redis: %s%s: %w", name, value, err)
		}
		total += seconds
	}
	return total, nil
}
