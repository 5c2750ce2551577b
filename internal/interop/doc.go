// Package interop lets tests talk to a server through WebSocket clients that others wrote: ws, which
// most of Node.js runs on, and Python's websockets. What a server says to its own client proves
// little; here two independent readings of RFC 6455 sit at the other end.
//
// A test writes its scenario once, against [Peer], and runs it over all [Implementations]. A peer is a
// process: a small script in testdata that takes commands as JSON lines on its standard input and
// prints what happens as JSON lines on its standard output.
//
//	{"cmd":"connect","url":U,"subprotocols":[P],"headers":{K:V},"compression":B}
//	{"cmd":"send","text":S} {"cmd":"send","data":BASE64} {"cmd":"ping","text":S}
//	{"cmd":"close","code":N,"reason":S} {"cmd":"terminate"}
//
//	{"event":"open","subprotocol":S,"extensions":S}
//	{"event":"rejected","status":N,"headers":{K:V}}  the server did not upgrade; names in lower case
//	{"event":"text","text":S} {"event":"binary","data":BASE64} {"event":"pong","text":S}
//	{"event":"close","code":N,"reason":S}            1006 where no close frame came
//	{"event":"error","message":S}                    a command that failed
//
// # Guarantees
//
// Events come in the order in which the peer saw them, none is lost, and commands are carried out in
// the order in which they were given. A peer that is missing a program or package fails the test and
// says what to install. Its process ends with the test.
package interop
