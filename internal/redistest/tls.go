package redistest

import (
	"net"
	"strconv"

	"github.com/gohubkit/hubkit/internal/testenv"
)

// EnableTLS has the server listen with TLS too, at TLSAddr, with the certificate and the key in these files.
func (s *Server) EnableTLS(cert, key string) {
	s.t.Helper()
	s.tlsPort = testenv.FreePort(s.t)
	s.Do("CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key, "tls-auth-clients", "no", "tls-ca-cert-file", cert)
	s.Do("CONFIG", "SET", "tls-port", strconv.Itoa(s.tlsPort))
}

// TLSAddr is where the server listens with TLS: host:port.
func (s *Server) TLSAddr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.tlsPort)) }
