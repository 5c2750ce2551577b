package fleet

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/gohubkit/hubkit/cmd/hubload/internal/load"
)

// WorkerEnv is set for a process that is to be a worker, and read by main.
const WorkerEnv = "HUBLOAD_WORKER"

// process is one worker. Its input is also its life line: it ends when that does, and so when this process dies.
type process struct {
	index int
	cmd   *exec.Cmd
	stdin io.WriteCloser
	enc   *json.Encoder
}

// event is what a worker has reported, or its end.
type event struct {
	index int
	snap  load.Snapshot
	ended bool
	err   error
}

// start starts a worker. Its reports, and in the end its end, go to events, which are read until then.
func start(exe string, index int, events chan<- event, wg *sync.WaitGroup) (*process, error) {
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), WorkerEnv+"=1")
	var said tail
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start process %d: %w", index, err)
	}
	wg.Go(func() {
		dec := json.NewDecoder(stdout)
		for {
			var s load.Snapshot
			if err := dec.Decode(&s); err != nil {
				break
			}
			events <- event{index: index, snap: s}
		}
		err := cmd.Wait()
		if err != nil {
			err = fmt.Errorf("process %d: %w%s", index, err, said.String())
		}
		events <- event{index: index, ended: true, err: err}
	})
	return &process{index: index, cmd: cmd, stdin: stdin, enc: json.NewEncoder(stdin)}, nil
}

// order tells the worker; that it is gone is told by an event.
func (p *process) order(o load.Order) { _ = p.enc.Encode(o) }

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// tail keeps the end of what a process says.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if extra := len(t.b) - 2000; extra > 0 {
		t.b = t.b[extra:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := strings.TrimSpace(string(t.b)); s != "" {
		return ": " + s
	}
	return ""
}
