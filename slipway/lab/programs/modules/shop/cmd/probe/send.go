package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/net/dns/dnsmessage"
)

// dial opens the probe's own connection, wrapped in TLS where asked, ending with ctx.
func dial(ctx context.Context, item probe, network string, found *result) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, network, item.Address)
	if err != nil {
		return nil, err
	}
	found.Connected, found.Local = true, connection.LocalAddr().String()
	deadline, _ := ctx.Deadline()
	if err := connection.SetDeadline(deadline); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	for options := item.TLS; options != nil; options = options.Inside {
		settings, err := options.settings()
		if err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		wrapped := tls.Client(connection, settings)
		if err := wrapped.HandshakeContext(ctx); err != nil {
			connection.Close()
			return nil, err
		}
		leaf := wrapped.ConnectionState().PeerCertificates[0]
		found.Peer = leaf.DNSNames
		for _, uri := range leaf.URIs {
			found.Peer = append(found.Peer, uri.String())
		}
		connection = wrapped
	}
	return connection, nil
}

func (options *tlsOptions) settings() (*tls.Config, error) {
	settings := &tls.Config{ServerName: options.SNI, NextProtos: options.ALPN, InsecureSkipVerify: options.Unverified}
	if options.CA != "" {
		text, err := os.ReadFile(options.CA)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", options.CA)
		}
	}
	if options.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(options.Certificate, options.Key)
		if err != nil {
			return nil, err
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}

func sendHTTP(ctx context.Context, item probe, found *result) error {
	connection, err := dial(ctx, item, "tcp", found)
	if err != nil {
		return err
	}
	defer connection.Close()
	request, err := http.NewRequestWithContext(ctx, item.Method, "http://"+item.Address+item.Path, strings.NewReader(item.Send))
	if err != nil {
		return err
	}
	request.Host, request.Close = item.Host, true
	for name, value := range item.Headers {
		request.Header.Set(name, value)
	}
	if err := request.Write(connection); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, shownOfReply))
	found.Code, found.Body = strconv.Itoa(response.StatusCode), string(body)
	found.Headers = map[string]string{"server": response.Header.Get("Server"), "location": response.Header.Get("Location")}
	return err
}

// sendTCP connects, sends what is to be sent, and waits for the first bytes.
func sendTCP(ctx context.Context, item probe, found *result) error {
	reply, err := exchange(ctx, item, "tcp", []byte(item.Send), found)
	found.Body = strings.ToValidUTF8(string(reply), "?")
	return err
}

// sendUDP sends one datagram and waits for one.
func sendUDP(ctx context.Context, item probe, found *result) error {
	reply, err := exchange(ctx, item, "udp", []byte(item.Send), found)
	found.Body = strings.ToValidUTF8(string(reply), "?")
	return err
}

// sendDNS asks the server at Address for IPv4 addresses of Query; that a name does not exist is an answer too.
func sendDNS(ctx context.Context, item probe, found *result) error {
	name, err := dnsmessage.NewName(item.Query)
	if err != nil {
		return err
	}
	question := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	packed, err := question.Pack()
	if err != nil {
		return err
	}
	reply, err := exchange(ctx, item, "udp", packed, found)
	if err != nil {
		return err
	}
	var message dnsmessage.Message
	if err := message.Unpack(reply); err != nil {
		return err
	}
	found.Code = strings.TrimPrefix(message.RCode.String(), "RCode")
	for _, resource := range message.Answers {
		if address, is := resource.Body.(*dnsmessage.AResource); is {
			found.Body += net.IP(address.A[:]).String() + " "
		}
	}
	return nil
}

func exchange(ctx context.Context, item probe, network string, send []byte, found *result) ([]byte, error) {
	connection, err := dial(ctx, item, network, found)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	if len(send) > 0 {
		if _, err := connection.Write(send); err != nil {
			return nil, err
		}
	}
	reply := make([]byte, shownOfReply)
	length, err := connection.Read(reply)
	return reply[:length], err
}

// sendPostgres logs in without a password and runs Query; a refusal by the server is an answer with its SQLSTATE.
func sendPostgres(ctx context.Context, item probe, found *result) error {
	settings, err := pgx.ParseConfig(fmt.Sprintf("host=placeholder user=%s dbname=%s sslmode=disable", item.User, item.Database))
	if err != nil {
		return err
	}
	settings.LookupFunc = func(context.Context, string) ([]string, error) { return []string{item.Address}, nil }
	settings.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, item, "tcp", found) }
	var refusal *pgconn.PgError
	connection, err := pgx.ConnectConfig(ctx, settings)
	if errors.As(err, &refusal) {
		found.Code, found.Detail = refusal.Code, refusal.Message
		return nil
	} else if err != nil {
		return err
	}
	defer connection.Close(ctx)
	if err := connection.QueryRow(ctx, item.Query).Scan(&found.Body); errors.As(err, &refusal) {
		found.Code, found.Detail = refusal.Code, refusal.Message
		return nil
	} else if err != nil {
		return err
	}
	found.Code = "00000"
	return nil
}
