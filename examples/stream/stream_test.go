package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gohubkit/hubkit/internal/browser"
	"github.com/gohubkit/hubkit/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m, goleak.IgnoreCurrent()) }

// start runs the example, and returns its address.
func start(t *testing.T, pace string) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	ran := make(chan error, 1)
	go func() {
		ran <- run(ctx, []string{"-addr", "127.0.0.1:0", "-pace", pace}, in)
		_ = in.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("run: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(line), "stream: ")
}

func ask(t *testing.T, url, body string, status int) (room string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/ask", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it is read
	var answer struct{ Room string }
	if res.StatusCode != status || status == http.StatusOK && json.NewDecoder(res.Body).Decode(&answer) != nil {
		t.Fatalf("ask: %s", res.Status)
	}
	return answer.Room
}

// read reads at most so many tokens of an answer after the event with this id.
func read(t *testing.T, url, room, id string, most int) (text, last string, done bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/events?history=10000&room="+room, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Last-Event-ID", id)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it is left
	last = id
	named := false
	for lines := bufio.NewScanner(res.Body); !done && most > 0 && lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ":")
		switch field {
		case "":
			named = false
		case "event":
			named = true
		case "id":
			last = value
		case "data":
			if named {
				continue
			}
			var m struct{ Data token }
			if err := json.Unmarshal([]byte(value), &m); err != nil || m.Data.Failed {
				t.Fatalf("%s: %v", value, err)
			}
			text += m.Data.Text
			done = m.Data.Done
			most--
		}
	}
	return text, last, done
}

// TestResume: an answer that is read in pieces, over a connection each, is whole.
func TestResume(t *testing.T) {
	url := start(t, "1ms")
	room := ask(t, url, `{"prompt":"Why?"}`, http.StatusOK)
	text, id, done := "", "", false
	for pieces := 0; !done; pieces++ {
		var more string
		more, id, done = read(t, url, room, id, 7)
		text += more
		if pieces > 100 {
			t.Fatalf("no end of %q", text)
		}
	}
	if text != answerTo("Why?") {
		t.Errorf("%q", text)
	}
	if again, _, _ := read(t, url, room, "", 10_000); again != text {
		t.Errorf("read at once: %q", again)
	}
}

func TestBadQuestions(t *testing.T) {
	url := start(t, "1ms")
	for _, body := range []string{"", "{}", "why", `{"prompt":"` + strings.Repeat("x", maxPrompt) + `"}`} {
		ask(t, url, body, http.StatusBadRequest)
	}
}

// TestReload: a page that is reloaded in the midst of an answer goes on where it was. No token is missing, and none comes twice.
func TestReload(t *testing.T) {
	url := start(t, "50ms")
	tab := browser.Start(t).Open("reader", url)
	const prompt = "Will a reload lose anything?"
	tab.Fill("prompt", prompt)
	tab.Press("Enter", 13)
	for range 4 {
		tab.Await(`document.getElementById("state").dataset.state === "writing"`)
		tab.Eval(`window.had = document.getElementById("answer").textContent.length`)
		tab.Await(`document.getElementById("answer").textContent.length > window.had + 40`)
		tab.Reload()
	}
	tab.Await(`document.getElementById("state").dataset.state === "done"`)
	for _, when := range []string{"at the end", "after the end"} {
		var got string
		if tab.Into(`document.getElementById("answer").textContent`, &got); got != answerTo(prompt) {
			t.Errorf("%s: %q\nwant %q", when, got, answerTo(prompt))
		}
		tab.Reload()
	}
}
