package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// menu is what the shop sells.
var menu = []string{"green tea", "black tea", "coffee"}

// maxOrders bounds what a shop keeps in memory.
const maxOrders = 10_000

// order is an order as the API shows it.
type order struct {
	OrderID  string    `json:"orderId"`
	Item     string    `json:"item"`
	Quantity int       `json:"quantity"`
	Status   string    `json:"status"` // booked, canceled
	At       time.Time `json:"at"`
}

// shop is an API of orders as many companies have one: JSON over HTTP, a key in a header, a message with each refusal.
// It is safe for concurrent use.
type shop struct {
	key string

	mu     sync.Mutex
	orders map[string]*order
}

func newShop(key string) *shop { return &shop{key: key, orders: map[string]*order{}} }

// handler serves POST and GET /orders, GET, PATCH and DELETE /orders/{id}.
func (s *shop) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.book)
	mux.HandleFunc("GET /orders", s.list)
	mux.HandleFunc("GET /orders/{id}", s.one(func(*order, *http.Request) string { return "" }))
	mux.HandleFunc("PATCH /orders/{id}", s.one(change))
	mux.HandleFunc("DELETE /orders/{id}", s.one(func(o *order, _ *http.Request) string { o.Status = "canceled"; return "" }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Shop-Key") != s.key {
			refuse(w, http.StatusUnauthorized, "The header X-Shop-Key is missing or wrong.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// wish is what a customer may say about an order.
type wish struct {
	Item     string `json:"item"`
	Quantity int    `json:"quantity"`
}

func (s *shop) book(w http.ResponseWriter, r *http.Request) {
	var in wish
	if problem := read(r, &in); problem != "" {
		refuse(w, http.StatusBadRequest, problem)
		return
	}
	if !slices.Contains(menu, in.Item) {
		refuse(w, http.StatusUnprocessableEntity, "We sell "+strings.Join(menu, ", ")+".")
		return
	}
	if problem := checkQuantity(in.Quantity); problem != "" {
		refuse(w, http.StatusUnprocessableEntity, problem)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.orders) >= maxOrders {
		refuse(w, http.StatusServiceUnavailable, "We take no more orders today.")
		return
	}
	o := &order{OrderID: fmt.Sprintf("T-%d", 1001+len(s.orders)), Item: in.Item, Quantity: in.Quantity, Status: "booked", At: time.Now().UTC()}
	s.orders[o.OrderID] = o
	answer(w, http.StatusCreated, o)
}

func (s *shop) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*order, 0, len(s.orders))
	for _, o := range s.orders {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *order) int { return strings.Compare(a.OrderID, b.OrderID) })
	answer(w, http.StatusOK, map[string]any{"orders": all})
}

// one answers with an order after do has changed it. What do says is wrong changes nothing.
func (s *shop) one(do func(*order, *http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		o := s.orders[strings.ToUpper(r.PathValue("id"))]
		switch {
		case o == nil:
			refuse(w, http.StatusNotFound, "There is no such order. Ask for its number again.")
		case o.Status == "canceled" && r.Method != http.MethodGet:
			refuse(w, http.StatusConflict, "The order is canceled already.")
		default:
			if problem := do(o, r); problem != "" {
				refuse(w, http.StatusUnprocessableEntity, problem)
				return
			}
			answer(w, http.StatusOK, o)
		}
	}
}

func change(o *order, r *http.Request) string {
	var in wish
	if problem := read(r, &in); problem != "" {
		return problem
	}
	if problem := checkQuantity(in.Quantity); problem != "" {
		return problem
	}
	o.Quantity = in.Quantity
	return ""
}

func checkQuantity(n int) string {
	if n < 1 || n > 20 {
		return "The quantity must be from 1 to 20."
	}
	return ""
}

func read(r *http.Request, into any) string {
	if json.NewDecoder(io.LimitReader(r.Body, 10_000)).Decode(into) != nil {
		return "Send one JSON object."
	}
	return ""
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"message": message})
}
