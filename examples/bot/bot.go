package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/gohubkit/hubkit/client"
)

// message is what the chat's page sends and shows.
type message struct {
	Name string `json:"name"`
	Text string `json:"text"`
	At   int64  `json:"at"` // Unix time in milliseconds
}

// bot answers in one room. The client makes its callbacks one at a time, so that nothing needs a lock.
type bot struct {
	client  *client.Client
	log     *slog.Logger
	room    string
	name    string
	greeted map[string]bool
}

func (b *bot) join() error {
	_, err := client.SubscribeJSON(b.client, b.room, b.hear, client.OnPresence(b.see), client.OnError(b.fault))
	return err
}

// hear answers a message. After a restart of the server the client may have to ask for messages again; the
// key, made of the question's position, lets an answer into the room once only.
func (b *bot) hear(m client.TypedMessage[message]) {
	if text := answer(m.Value.Text, time.Now()); text != "" {
		b.say(text, fmt.Sprintf("%s/%s/%d", b.name, m.Position.Epoch, m.Position.Offset))
	}
}

// mostGreeted bounds the memory for faces; after so many the bot begins again.
const mostGreeted = 10_000

// see greets those who come, each once: a reconnect is no arrival.
func (b *bot) see(joined bool, m client.Member) {
	var info struct{ Name string }
	if !joined || json.Unmarshal(m.Info, &info) != nil || info.Name == "" || info.Name == b.name || b.greeted[info.Name] {
		return
	}
	if len(b.greeted) >= mostGreeted {
		clear(b.greeted)
	}
	b.greeted[info.Name] = true
	b.say("Hello, "+info.Name+"! Say !help to hear what I know.", "")
}

// fault hears of what was no message of the page's kind, which is none of the bot's business, and of the room's
// refusal, which is.
func (b *bot) fault(err error) {
	if _, ok := errors.AsType[*client.DecodeError](err); !ok {
		b.log.Error("room", "err", err)
	}
}

// say does not wait: a callback that blocks holds up all that follow.
func (b *bot) say(text, key string) {
	data, err := json.Marshal(message{Name: b.name, Text: text, At: time.Now().UnixMilli()})
	if err != nil {
		b.log.Error("say", "err", err)
		return
	}
	var opts []client.PublishOption
	if key != "" {
		opts = append(opts, client.IdempotencyKey(key))
	}
	if _, err := b.client.PublishAsync(b.room, data, opts...); err != nil {
		b.log.Error("say", "err", err)
	}
}

// answer returns what the bot has to say to text, or "".
func answer(text string, now time.Time) string {
	switch text {
	case "!help":
		return "I know !time, !roll and !help."
	case "!time":
		return "It is " + now.Format("15:04:05 MST, Monday 2 January 2006") + "."
	case "!roll":
		return fmt.Sprintf("You rolled a %d.", 1+rand.IntN(6))
	}
	return ""
}
