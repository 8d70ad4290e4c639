// Command shop is a sample: the orders API of a small shop, and what makes two agents of Parley use it. With --key it
// creates, through Parley's public API only, a secret, three HTTP tools, a voice agent and a chat agent, and says how to
// talk to them. Started again, it changes them to what stands here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9090", "address of the shop")
	parley := flag.String("parley", "http://127.0.0.1:8080", "address of Parley")
	key := flag.String("key", os.Getenv("PARLEY_API_KEY"), "API key of Parley; without one only the shop runs")
	shopKey := flag.String("shop-key", "sample-shop-key", "what the shop wants in the header X-Shop-Key")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *parley, *key, *shopKey); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, parley, key, shopKey string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newShop(shopKey).handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	fmt.Printf("The shop is open at http://%s/orders\n", listener.Addr())
	if key != "" {
		if err := setUp(ctx, client{parley, key}, "http://"+listener.Addr().String(), shopKey); err != nil {
			_ = server.Close()
			return err
		}
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
