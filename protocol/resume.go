package protocol

// ResumeParam is the query parameter of the handshake that carries the ticket of the client's last welcome. If a server must
// queue clients, it admits those with a valid ticket first. A ticket grants nothing else.
const ResumeParam = "hubkit_resume"

// ExplainParam is the query parameter that asks how the server would answer a handshake. Its value is 1, in a GET that is not a
// handshake. A browser does not tell a page why a handshake was refused.
const ExplainParam = "hubkit_explain"

// MaxTicket is the longest ticket of a welcome, in bytes. It needs no escaping in a URL.
const MaxTicket = 128
