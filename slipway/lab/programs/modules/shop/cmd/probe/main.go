// Sends each request of a JSON list on standard input over a connection of its own and prints one JSON line
// each, telling apart an answer, a reset, a refused, a closed and a silent connection. Called as `probe idle FILE`
// it copies itself to FILE, for another container of its pod, and waits.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"os"
	"sync"
	"time"
)

// Bounds: requests in flight, longest wait of one request, of the idle program, bytes of an answer that are told.
const (
	inFlight     = 32
	longestWait  = 30 * time.Second
	longestIdle  = 15 * time.Minute
	shownOfReply = 2048
)

// probe is one request. Address is what is dialled; TLS wraps the connection whatever is spoken inside.
type probe struct {
	Name      string            `json:"name"`
	Kind      string            `json:"kind"` // http, tcp, udp, dns, postgres
	Address   string            `json:"address"`
	TimeoutMs int               `json:"timeout_ms"`
	TLS       *tlsOptions       `json:"tls"`
	Method    string            `json:"method"`
	Path      string            `json:"path"`
	Host      string            `json:"host"`
	Headers   map[string]string `json:"headers"`
	Send      string            `json:"send"`
	Query     string            `json:"query"` // the name to resolve, or the SQL statement
	User      string            `json:"user"`
	Database  string            `json:"database"`
}

// tlsOptions: SNI may be empty; Certificate and Key are files of a client certificate, CA one of roots; Inside is a
// second TLS session through the first.
type tlsOptions struct {
	SNI         string   `json:"sni"`
	ALPN        []string `json:"alpn"`
	CA          string   `json:"ca"`
	Certificate string   `json:"certificate"`
	Key         string   `json:"key"`
	Unverified  bool     `json:"unverified"`

	Inside *tlsOptions `json:"inside"`
}

// result is what came of a probe: Outcome is "answer" with Code and Body, or how the connection ended.
type result struct {
	Name       string            `json:"name"`
	Outcome    string            `json:"outcome"`
	Connected  bool              `json:"connected"`
	Code       string            `json:"code,omitempty"`
	Body       string            `json:"body,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	Peer       []string          `json:"peer,omitempty"`
	Local      string            `json:"local,omitempty"`
	Detail     string            `json:"detail,omitempty"`
	DurationMs int64             `json:"duration_ms"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) == 3 && os.Args[1] == "idle" {
		if err := install(os.Args[2]); err != nil {
			log.Fatal(err)
		}
		time.Sleep(longestIdle)
		return
	}
	var probes []probe
	// One value and not to the end: whoever runs this in a pod cannot always close its standard input.
	if err := json.NewDecoder(io.LimitReader(os.Stdin, 1<<22)).Decode(&probes); err != nil {
		log.Fatalf("standard input is no JSON list of probes: %v", err)
	}
	results := make(chan result)
	free := make(chan struct{}, inFlight)
	var running sync.WaitGroup
	for _, item := range probes {
		running.Add(1)
		go func() {
			defer running.Done()
			free <- struct{}{}
			defer func() { <-free }()
			results <- measure(item)
		}()
	}
	go func() { running.Wait(); close(results) }()
	output := json.NewEncoder(os.Stdout)
	for found := range results {
		if err := output.Encode(found); err != nil {
			log.Fatal(err)
		}
	}
}

// measure sends one probe within its time.
func measure(item probe) result {
	wait := time.Duration(item.TimeoutMs) * time.Millisecond
	if wait <= 0 || wait > longestWait {
		wait = longestWait
	}
	send, known := map[string]func(context.Context, probe, *result) error{
		"http": sendHTTP, "tcp": sendTCP, "udp": sendUDP, "dns": sendDNS, "postgres": sendPostgres,
	}[item.Kind]
	if !known {
		log.Fatalf("probe %q is of kind %q; allowed: http, tcp, udp, dns, postgres", item.Name, item.Kind)
	}
	bounded, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	started := time.Now()
	found := result{Name: item.Name, Outcome: "answer"}
	if err := send(bounded, item, &found); err != nil {
		found.Outcome, found.Detail = classify(err), err.Error()
	}
	found.DurationMs = time.Since(started).Milliseconds()
	return found
}

// install copies this program to a file.
func install(file string) error {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	return os.WriteFile(file, program, 0o755)
}
