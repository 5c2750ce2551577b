package main

import (
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// The times of the chat example.
const (
	writeWait  = 10 * time.Second
	pongWait   = 60 * time.Second
	pingPeriod = pongWait * 9 / 10
)

// hub owns the clients of one room.
type hub struct {
	clients              map[*client]struct{}
	broadcast            chan []byte
	register, unregister chan *client
	conns, drops         *atomic.Int64
}

func newHub(conns, drops *atomic.Int64) *hub {
	return &hub{
		clients:    make(map[*client]struct{}),
		broadcast:  make(chan []byte),
		register:   make(chan *client),
		unregister: make(chan *client),
		conns:      conns,
		drops:      drops,
	}
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = struct{}{}
			h.conns.Add(1)
		case c := <-h.unregister:
			h.remove(c)
		case msg := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.send <- msg:
				default:
					h.drops.Add(1)
					h.remove(c)
				}
			}
		}
	}
}

func (h *hub) remove(c *client) {
	if _, ok := h.clients[c]; ok {
		delete(h.clients, c)
		close(c.send)
		h.conns.Add(-1)
	}
}

// client is one connection; its hub closes send.
type client struct {
	hub  *hub
	conn *websocket.Conn
	send chan []byte
}

func (c *client) readPump() {
	defer func() {
		c.hub.unregister <- c
		_ = c.conn.Close()
	}()
	_ = c.conn.SetReadDeadline(time.Now().Add(pongWait))
	c.conn.SetPongHandler(func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWait)) })
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			return
		}
	}
}

func (c *client) writePump() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		_ = c.conn.Close()
	}()
	for {
		select {
		case msg, ok := <-c.send:
			_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if !ok {
				_ = c.conn.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			if c.writeJoined(msg) != nil {
				return
			}
		case <-ticker.C:
			_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if c.conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

// writeJoined writes msg and all that is queued behind it as one message, by lines.
func (c *client) writeJoined(msg []byte) error {
	w, err := c.conn.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	_, _ = w.Write(msg)
	for range len(c.send) {
		next, ok := <-c.send
		if !ok {
			break
		}
		_, _ = w.Write([]byte{'\n'})
		_, _ = w.Write(next)
	}
	return w.Close()
}

func echoPump(conn *websocket.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		typ, msg, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if conn.WriteMessage(typ, msg) != nil {
			return
		}
	}
}
