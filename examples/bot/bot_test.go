package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/client"
	"github.com/gohubkit/hubkit/internal/testenv"
)

const asBot = "HUBKIT_EXAMPLE_BOT" // makes the test binary the bot itself

func TestMain(m *testing.M) {
	if os.Getenv(asBot) != "" {
		main()
		return
	}
	testenv.Main(m, goleak.IgnoreCurrent())
}

func TestAnswer(t *testing.T) {
	now := time.Date(2026, 3, 1, 14, 5, 6, 0, time.UTC)
	for text, want := range map[string]string{
		"":      "^$",
		"hello": "^$",
		"!time": `^It is 14:05:06 UTC, Sunday 1 March 2026\.$`,
		"!roll": `^You rolled a [1-6]\.$`,
		"!help": `^I know `,
		"help!": "^$",
	} {
		if got := answer(text, now); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("answer(%q) = %q, want %s", text, got, want)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"-url", "http://127.0.0.1"}, {"-url", "ws://a b"}, {"-room", "a\nb"}} {
		if err := run(t.Context(), args, t.Output()); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}

// chat is the real chat, which can be started again on the same port.
type chat struct {
	t                *testing.T
	bin, addr, state string
	proc             *testenv.Process
}

func startChat(t *testing.T) *chat {
	t.Helper()
	dir := t.TempDir()
	c := &chat{t: t, bin: filepath.Join(dir, "chat"), state: filepath.Join(dir, "state")}
	if out, err := exec.CommandContext(t.Context(), testenv.RequireTool(t, "go"), "build", "-o", c.bin, "../chat").CombinedOutput(); err != nil {
		t.Fatalf("build the chat: %v\n%s", err, out)
	}
	c.addr = fmt.Sprint("127.0.0.1:", testenv.FreePort(t))
	c.start()
	return c
}

func (c *chat) start() {
	c.t.Helper()
	c.proc = testenv.Start(c.t, testenv.Command{
		Path:  c.bin,
		Args:  []string{"-addr", c.addr, "-state", c.state, "-drain", "100ms"},
		Ready: func(line string) bool { return strings.HasPrefix(line, "chat: http://") },
	})
}

func (c *chat) url() string { return "ws://" + c.addr + "/ws" }

// listener is a person in the room.
type listener struct {
	t         *testing.T
	c         *client.Client
	heard     chan message
	greetings []string
}

func listen(t *testing.T, address, name string) *listener {
	t.Helper()
	l := &listener{t: t, heard: make(chan message, 100)}
	c, err := client.New(address + "?name=" + name)
	if err != nil {
		t.Fatal(err)
	}
	l.c = c
	sub, err := client.SubscribeJSON(c, "chat:lobby", func(m client.TypedMessage[message]) { l.heard <- m.Value })
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(context.Background()) }) // Until it is closed.
	t.Cleanup(func() {
		_ = c.Close()
		running.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := sub.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *listener) say(text string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := l.c.PublishJSON(ctx, "chat:lobby", message{Name: "Ada", Text: text}); err != nil {
		l.t.Fatal(err)
	}
}

// hears wants the bot's next words to match. When it greets Ada depends on who came first, so that greetings
// are passed over, but nobody may be greeted twice.
func (l *listener) hears(pattern string) {
	l.t.Helper()
	want := regexp.MustCompile(pattern)
	timeout := time.After(20 * time.Second)
	for {
		select {
		case m := <-l.heard:
			if m.Name != "Robot" {
				continue
			}
			greeting := strings.HasPrefix(m.Text, "Hello, ")
			if greeting && slices.Contains(l.greetings, m.Text) {
				l.t.Fatalf("the bot said %q again", m.Text)
			}
			if greeting {
				l.greetings = append(l.greetings, m.Text)
			}
			switch {
			case want.MatchString(m.Text):
				return
			case !greeting:
				l.t.Fatalf("the bot said %q, want %s", m.Text, pattern)
			}
		case <-timeout:
			l.t.Fatalf("the bot did not say %s", pattern)
		}
	}
}

func TestBotInChat(t *testing.T) {
	server := startChat(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bot := testenv.Start(t, testenv.Command{
		Path:  self,
		Args:  []string{"-url", server.url(), "-name", "Robot"},
		Env:   []string{asBot + "=1", "GORACE=atexit_sleep_ms=20"}, // instead of a second
		Ready: func(line string) bool { return strings.Contains(line, "connected") },
	})

	ada := listen(t, server.url(), "Ada")
	ada.await("Robot")
	ada.say("!help")
	ada.hears(`^I know `)
	listen(t, server.url(), "Bob")
	ada.hears(`^Hello, Bob!`)

	// It answers over a restart of the server, and greets nobody twice.
	server.proc.Stop()
	server.start()
	ada.say("!roll")
	ada.hears(`^You rolled a [1-6]\.$`)
	ada.say("!time")
	ada.hears(`^It is `)

	bot.Stop()
	if err := bot.Wait(t.Context()); err != nil {
		t.Errorf("the bot ended with %v", err)
	}
}

// await waits until somebody is in the room.
func (l *listener) await(name string) {
	l.t.Helper()
	want := fmt.Sprintf(`{"name":%q}`, name)
	deadline := time.Now().Add(20 * time.Second)
	for {
		ctx, cancel := context.WithDeadline(l.t.Context(), deadline)
		p, err := l.c.Presence(ctx, "chat:lobby")
		cancel()
		if err != nil {
			l.t.Fatalf("waiting for %s: %v", name, err)
		}
		for _, m := range p.Members {
			if string(m.Info) == want {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}
