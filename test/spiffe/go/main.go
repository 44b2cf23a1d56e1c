// Command spiffe stands for a SPIFFE deployment: it makes trust domains, JWT-SVIDs and X.509-SVIDs with the SPIFFE project's own library,
// and says what that library takes of theirs. It reads one JSON request a line and writes one JSON answer a line.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

type request struct {
	Do       string         `json:"do"`
	Domain   string         `json:"domain"`
	Text     string         `json:"text"`
	Claims   map[string]any `json:"claims"`
	Header   map[string]any `json:"header"`
	Kid      string         `json:"kid"`
	URIs     []string       `json:"uris"`
	CA       bool           `json:"ca"`
	Usage    int            `json:"usage"`
	Expired  bool           `json:"expired"`
	Client   bool           `json:"client"`
	Via      bool           `json:"via"`
	Target   string         `json:"target"`
	Audience string         `json:"audience"`
}

type answer struct {
	Error string `json:"error,omitempty"`
	Text  string `json:"text,omitempty"`
	Port  int    `json:"port,omitempty"`
}

// domain is a trust domain: its bundle, and the keys of its authorities.
type domain struct {
	bundle *spiffebundle.Bundle
	root   *x509.Certificate
	rootBy *ecdsa.PrivateKey
	jwtBy  *ecdsa.PrivateKey
}

var domains = map[string]*domain{}

func main() {
	out := json.NewEncoder(os.Stdout)
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var r request
		if err := in.Decode(&r); err == io.EOF {
			return
		} else if err != nil {
			os.Exit(1)
		}
		a, err := respond(r)
		if err != nil {
			a = answer{Error: err.Error()}
		}
		out.Encode(a)
	}
}

func respond(r request) (answer, error) {
	switch r.Do {
	case "id":
		id, err := spiffeid.FromString(r.Text)
		return answer{Text: id.TrustDomain().Name() + " " + id.Path()}, err
	case "domain":
		return newDomain(r)
	case "jwt":
		return sign(r)
	case "parse-jwt":
		svid, err := jwtsvid.ParseAndValidate(r.Text, domains[r.Domain].bundle, []string{r.Audience})
		if err != nil {
			return answer{}, err
		}
		return answer{Text: svid.ID.String()}, nil
	case "parse-bundle":
		_, err := spiffebundle.Parse(spiffeid.RequireTrustDomainFromString(r.Domain), []byte(r.Text))
		return answer{}, err
	case "serve":
		return serve(r)
	}
	return answer{}, errors.New("unknown request")
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func newDomain(r request) (answer, error) {
	name, err := spiffeid.TrustDomainFromString(r.Domain)
	if err != nil {
		return answer{}, err
	}
	d := &domain{bundle: spiffebundle.New(name), rootBy: newKey(), jwtBy: newKey()}
	d.root, err = issue(authority(name), nil, nil, d.rootBy)
	if err != nil {
		return answer{}, err
	}
	d.bundle.AddX509Authority(d.root)
	d.bundle.AddJWTAuthority("first", d.jwtBy.Public())
	d.bundle.SetSequenceNumber(7)
	d.bundle.SetRefreshHint(5 * time.Minute)
	domains[r.Domain] = d
	text, err := d.bundle.Marshal()
	return answer{Text: string(text)}, err
}

func sign(r request) (answer, error) {
	d := domains[r.Domain]
	options := &jose.SignerOptions{}
	for name, value := range r.Header {
		options = options.WithHeader(jose.HeaderKey(name), value)
	}
	key := jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: d.jwtBy, KeyID: r.Kid}}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		return answer{}, err
	}
	token, err := jwt.Signed(signer).Claims(r.Claims).Serialize()
	return answer{Text: token}, err
}

func template(subject *url.URL) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		URIs:                  []*url.URL{subject},
		BasicConstraintsValid: true,
	}
}

func authority(name spiffeid.TrustDomain) *x509.Certificate {
	made := template(name.ID().URL())
	made.IsCA, made.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	made.Subject.Organization = []string{name.Name()}
	return made
}

// issue signs a certificate by its issuer, or by itself.
func issue(made, issuer *x509.Certificate, by, own *ecdsa.PrivateKey) (*x509.Certificate, error) {
	if issuer == nil {
		issuer, by = made, own
	}
	der, err := x509.CreateCertificate(rand.Reader, made, issuer, own.Public(), by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// chain makes an X.509-SVID as asked for, right or wrong, with an authority in between where that is asked for.
func (d *domain) chain(r request, own *ecdsa.PrivateKey) ([]*x509.Certificate, error) {
	issuer, by := d.root, d.rootBy
	var between []*x509.Certificate
	if r.Via {
		key := newKey()
		made := authority(spiffeid.RequireTrustDomainFromString(r.Domain))
		made.Subject.CommonName = "between"
		signed, err := issue(made, d.root, d.rootBy, key)
		if err != nil {
			return nil, err
		}
		issuer, by, between = signed, key, []*x509.Certificate{signed}
	}
	leaf := template(nil)
	leaf.URIs = nil
	for _, text := range r.URIs {
		parsed, err := url.Parse(text)
		if err != nil {
			return nil, err
		}
		leaf.URIs = append(leaf.URIs, parsed)
	}
	leaf.Subject.Organization = []string{"workload"}
	leaf.IsCA, leaf.KeyUsage = r.CA, x509.KeyUsage(r.Usage)
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if r.Client {
		leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if r.Expired {
		leaf.NotAfter = time.Now().Add(-time.Minute)
	}
	signed, err := issue(leaf, issuer, by, own)
	if err != nil {
		return nil, err
	}
	return append([]*x509.Certificate{signed}, between...), nil
}

// serve ends TLS with an X.509-SVID, as a workload with this library does, in front of a server without TLS.
func serve(r request) (answer, error) {
	own := newKey()
	chain, err := domains[r.Domain].chain(r, own)
	if err != nil {
		return answer{}, err
	}
	svid := &x509svid.SVID{Certificates: chain, PrivateKey: own}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", tlsconfig.TLSServerConfig(svid))
	if err != nil {
		return answer{}, err
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(client, r.Target)
		}
	}()
	return answer{Port: listener.Addr().(*net.TCPAddr).Port}, nil
}

func relay(client net.Conn, target string) {
	defer client.Close()
	if client.(*tls.Conn).Handshake() != nil {
		return
	}
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go io.Copy(server, client)
	io.Copy(client, server)
}
