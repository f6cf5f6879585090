// The shop's services in one program: ROLE says which one it is, the environment where the others are.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Headers that carry a trace from the incoming request to every outgoing one.
// Source: Istio documentation, "Distributed Tracing FAQ", "What is required for distributed tracing?".
var traceHeaders = []string{"X-Request-Id", "B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid",
	"X-B3-Sampled", "X-B3-Flags", "Traceparent", "Tracestate"}

type (
	answer map[string]any
	shop   struct{ database *pgxpool.Pool }
	order  struct {
		Product  string `json:"product"`
		Quantity int    `json:"quantity"`
	}
)

func main() {
	database, err := pgxpool.New(context.Background(), os.Getenv("DATABASE_URL")) // connects on first use
	if err != nil {
		log.Fatal(err)
	}
	shop, mux := &shop{database: database}, http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(writer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(writer, "ok") })
	switch role := os.Getenv("ROLE"); role {
	case "storefront":
		handle(mux, "GET /{$}", forward("GET", os.Getenv("ORDERS_URL")+"/api/orders/1", nil))
		handle(mux, "GET /checkout", forward("POST", os.Getenv("ORDERS_URL")+"/api/orders", order{"teapot", 1}))
		handle(mux, "GET /pay", forward("GET", os.Getenv("PAYMENTS_URL"), nil))
	case "orders":
		handle(mux, "GET /api/orders/{id}", shop.showOrder)
		handle(mux, "POST /api/orders", shop.placeOrder)
	case "billing":
		handle(mux, "POST /invoices", shop.makeInvoice)
	default:
		log.Fatalf("ROLE is %q; allowed: storefront, orders, billing", role)
	}
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), mux))
}

// handle answers in JSON; what fails on the way is a 502 that says what.
func handle(mux *http.ServeMux, pattern string, serve func(*http.Request) (answer, error)) {
	mux.HandleFunc(pattern, func(writer http.ResponseWriter, request *http.Request) {
		writer.Header().Set("Content-Type", "application/json")
		found, err := serve(request)
		if err != nil {
			found = answer{"error": err.Error()}
			writer.WriteHeader(http.StatusBadGateway)
		}
		found["service"], found["remote"] = os.Getenv("ROLE"), request.RemoteAddr
		if err := json.NewEncoder(writer).Encode(found); err != nil {
			log.Printf("%s %s: %v", request.Method, request.URL.Path, err)
		}
	})
}

// call sends one request on behalf of incoming, with its trace and its query, and returns the answer.
func call(incoming *http.Request, method, url string, body any) (any, error) {
	payload, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	outgoing, err := http.NewRequestWithContext(incoming.Context(), method, url, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	outgoing.URL.RawQuery = incoming.URL.RawQuery
	for _, name := range traceHeaders {
		if value := incoming.Header.Get(name); value != "" {
			outgoing.Header.Set(name, value)
		}
	}
	response, err := (&http.Client{Timeout: 5 * time.Second}).Do(outgoing)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, url, response.Status, text)
	}
	if !json.Valid(text) {
		return string(text), err
	}
	return json.RawMessage(text), err
}

func forward(method, url string, body any) func(*http.Request) (answer, error) {
	return func(request *http.Request) (answer, error) {
		found, err := call(request, method, url, body)
		return answer{"answer": found}, err
	}
}

func (shop *shop) showOrder(request *http.Request) (answer, error) {
	var found order
	statement := "select product, quantity from orders where id::text = $1"
	row := shop.database.QueryRow(request.Context(), statement, request.PathValue("id"))
	return answer{"order": &found}, row.Scan(&found.Product, &found.Quantity)
}

// placeOrder inserts the order, has billing make its invoice, and commits; ?rehearse=true rolls back instead,
// ?billing=service calls billing by its newer name.
func (shop *shop) placeOrder(request *http.Request) (answer, error) {
	var wanted order
	if err := json.NewDecoder(request.Body).Decode(&wanted); err != nil {
		return nil, err
	}
	transaction, err := shop.database.Begin(request.Context())
	if err != nil {
		return nil, err
	}
	defer transaction.Rollback(request.Context()) // does nothing after a commit
	if _, err := transaction.Exec(request.Context(), "insert into orders (product, quantity) values ($1, $2)",
		wanted.Product, wanted.Quantity); err != nil {
		return nil, err
	}
	query := request.URL.Query()
	billing := map[bool]string{false: "BILLING_URL", true: "BILLING_SERVICE_URL"}[query.Get("billing") == "service"]
	invoice, err := call(request, "POST", os.Getenv(billing)+"/invoices", wanted)
	if err == nil && query.Get("rehearse") != "true" {
		err = transaction.Commit(request.Context())
	}
	return answer{"invoice": invoice, "rehearsed": query.Get("rehearse") == "true"}, err
}

func (shop *shop) makeInvoice(request *http.Request) (answer, error) {
	var wanted order
	if err := json.NewDecoder(request.Body).Decode(&wanted); err != nil {
		return nil, err
	}
	var cents int
	err := shop.database.QueryRow(request.Context(), "select price_cents from products where name = $1", wanted.Product).Scan(&cents)
	return answer{"total_cents": cents * wanted.Quantity}, err
}
