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

// message is a message of the chat's page.
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

// hear answers a message. After a restart of the server the client may receive messages again. The idempotency
// key is made of the question's position, so an answer gets into the room only once.
func (b *bot) hear(m client.TypedMessage[message]) {
	if text := answer(m.Value.Text, time.Now()); text != "" {
		b.say(text, fmt.Sprintf("%s/%s/%d", b.name, m.Position.Epoch, m.Position.Offset))
	}
}

// mostGreeted bounds the number of members that the bot remembers. Beyond it the bot forgets them all.
const mostGreeted = 10_000

// see greets each new member once. It does not greet a member that reconnects.
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

// fault logs errors of the room. It ignores a message of another type.
func (b *bot) fault(err error) {
	if _, ok := errors.AsType[*client.DecodeError](err); !ok {
		b.log.Error("room", "err", err)
	}
}

// say does not wait, because a callback that blocks delays all later ones.
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

// answer returns the bot's answer to text, or "".
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
