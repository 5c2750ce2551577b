package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gohubkit/hubkit/broker"
	"github.com/gohubkit/hubkit/broker/brokertest"
	"github.com/gohubkit/hubkit/broker/redis"
	"github.com/gohubkit/hubkit/internal/redistest"
)

// certificate writes a certificate for the loopback address that signs itself.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER), pool
}

// talk checks that a broker publishes and hears.
func talk(t *testing.T, addr string, opts ...redis.Option) {
	t.Helper()
	b, rec := start(t, []string{addr}, opts...)
	subscribe(t, b, "room")
	publish(t, b, "room", broker.Publication{Data: []byte("m"), Retention: kept})
	wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages("room")) == 1 })
}

func TestTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	s := redistest.Start(t)
	s.EnableTLS(cert, key)
	talk(t, s.TLSAddr(), redis.WithTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	b := newBroker(t, []string{s.TLSAddr()}, redis.WithTLS(&tls.Config{MinVersion: tls.VersionTLS12}))
	var unknown x509.UnknownAuthorityError
	if err := b.Start(t.Context(), "node", brokertest.NewRecorder()); !errors.As(err, &unknown) || !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Start with a certificate that nobody vouches for: %v, want that it is unavailable for this", err)
	}
}

func TestACL(t *testing.T) {
	s := redistest.Start(t)
	s.Do("ACL", "SETUSER", "hub", "on", ">secret", "~hubkit:*", "&hubkit:*", "+@all", "-@dangerous", "+info")
	talk(t, s.Addr(), redis.WithAuth("hub", "secret"), redis.WithClientName("my-hub"), redis.WithDatabase(3))
	b, _ := start(t, []string{s.Addr()}, redis.WithAuth("hub", "secret"), redis.WithClientName("my-hub"), redis.WithDatabase(3))
	publish(t, b, "room", broker.Publication{})
	for line := range strings.Lines(s.Do("CLIENT", "LIST")) {
		named, there := strings.Contains(line, "name=my-hub"), strings.Contains(line, "db=3")
		if strings.Contains(line, "user=hub") && (!named || !there) {
			t.Errorf("connection without name or database: %s", line)
		}
	}
	wrong := newBroker(t, []string{s.Addr()}, redis.WithAuth("hub", "wrong"))
	err := wrong.Start(t.Context(), "node", brokertest.NewRecorder())
	if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("Start with a wrong password: %v, want what the server says", err)
	}
}

func TestClusterHasOneDatabase(t *testing.T) {
	c := redistest.StartCluster(t, false)
	b := newBroker(t, c.Addrs(), redis.WithDatabase(1))
	if err := b.Start(t.Context(), "node", brokertest.NewRecorder()); err == nil {
		t.Error("Start with database 1 of a cluster: no error")
	}
}

// Several connections carry the rooms of one node.
func TestConnections(t *testing.T) {
	s := redistest.Start(t)
	b, rec := start(t, []string{s.Addr()}, redis.WithPublishConns(4), redis.WithSubscribeConns(3), redis.WithMetadataTTL(time.Hour))
	rooms := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	subscribe(t, b, rooms...)
	for _, room := range rooms {
		publish(t, b, room, broker.Publication{Data: []byte("m"), Retention: broker.Retention{Size: 1, TTL: time.Minute}})
		wait(t, rec, "the message", func(r *brokertest.Recorder) bool { return len(r.Messages(room)) == 1 })
	}
	subscribed := 0
	for line := range strings.Lines(s.Do("CLIENT", "LIST", "TYPE", "pubsub")) {
		if strings.Contains(line, "name=hubkit") {
			subscribed++
		}
	}
	if subscribed != 3 {
		t.Errorf("%d subscribed connections, want 3", subscribed)
	}
	if ttl, err := strconv.Atoi(s.Do("TTL", "hubkit:{a}:meta")); err != nil || ttl < 3500 || ttl > 3600 {
		t.Errorf("metadata lives for %d s, %v, want an hour", ttl, err)
	}
}
