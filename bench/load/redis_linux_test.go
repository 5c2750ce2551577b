package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
)

const cpuInfo = "# CPU\r\nused_cpu_sys:9.5\r\nused_cpu_user:9.25\r\nused_cpu_sys_children:0.000000\r\n" +
	"used_cpu_sys_main_thread:0.5\r\nused_cpu_user_main_thread:1.25\r\n"

func TestRedisCPU(t *testing.T) {
	for _, tt := range []struct {
		answer string
		want   float64
	}{
		{fmt.Sprintf("$%d\r\n%s\r\n", len(cpuInfo), cpuInfo), 1.75},
		{"-NOAUTH Authentication required.\r\n", -1},
		{"$-1\r\n", -1},
		{"$20\r\nused_cpu_sys:9.5\r\n\r\n\r\n", -1},
		{"$60\r\nused_cpu_user_main_thread:1\r\n", -1},
	} {
		got, err := redisCPU(t.Context(), answerOnce(t, tt.answer))
		if err != nil {
			got = -1
		}
		if got != tt.want {
			t.Errorf("%q: %v, %v; want %v", tt.answer, got, err, tt.want)
		}
	}
}

// answerOnce answers one line on one connection and hangs up.
func answerOnce(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "INFO cpu\r\n" {
			t.Errorf("asked %q, %v", line, err)
		}
		_, _ = io.WriteString(conn, answer)
	}()
	return l.Addr().String()
}
