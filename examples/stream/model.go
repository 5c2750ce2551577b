package main

import (
	"context"
	"strings"
	"time"
)

// model stands for a language model: it writes an answer token by token, and takes its time for each.
type model struct{ pace time.Duration }

// answer calls token for each token of the answer. It ends with ctx, or with the first error of token.
func (m model) answer(ctx context.Context, prompt string, token func(text string) error) error {
	for _, text := range strings.SplitAfter(answerTo(prompt), " ") {
		select {
		case <-time.After(m.pace):
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := token(text); err != nil {
			return err
		}
	}
	return nil
}

func answerTo(prompt string) string {
	return "You said: “" + prompt + "”. " + strings.TrimSpace(strings.Repeat(
		"A stream is a sequence of parts, each of which arrives once and in its order. ", 12))
}
