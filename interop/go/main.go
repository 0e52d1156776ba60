// A plain go-libp2p node for scripts/interop.ts: one command a line on stdin, one JSON answer a line on stdout.
// Usage: qmt-interop-go KEYFILE tls|noise LISTEN…
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	tls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

const wait = 10 * time.Second

type answer map[string]any

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(keyFile, security string, listen []string) error {
	key, err := loadKey(keyFile)
	if err != nil {
		return err
	}
	secured := libp2p.Security(noise.ID, noise.New)
	if security == "tls" {
		secured = libp2p.Security(tls.ID, tls.New)
	}
	node, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings(listen...), secured,
		libp2p.Transport(tcp.NewTCPTransport), libp2p.Transport(quic.NewTransport), libp2p.UserAgent("qmt-interop-go"))
	if err != nil {
		return err
	}
	defer node.Close()
	kad, err := dht.New(node, dht.ProtocolPrefix("/qmt"), dht.Mode(dht.ModeServer),
		dht.DisableProviders(), dht.DisableValues())
	if err != nil {
		return err
	}
	defer kad.Close()
	relays, err := relay.New(node)
	if err != nil {
		return err
	}
	defer relays.Close()
	addresses := []string{}
	for _, address := range node.Addrs() {
		addresses = append(addresses, address.String()+"/p2p/"+node.ID().String())
	}
	say(answer{"ok": true, "peerId": node.ID().String(), "addresses": addresses})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		result, err := obey(node, kad, strings.Fields(lines.Text()))
		if err != nil {
			say(answer{"ok": false, "error": err.Error()})
			continue
		}
		result["ok"] = true
		say(result)
	}
	return nil
}

func say(line answer) {
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

// The key file is made when there is none: libp2p's protobuf.
func loadKey(file string) (crypto.PrivKey, error) {
	bytes, err := os.ReadFile(file)
	if err == nil {
		return crypto.UnmarshalPrivateKey(bytes)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	if bytes, err = crypto.MarshalPrivateKey(key); err != nil {
		return nil, err
	}
	return key, os.WriteFile(file, bytes, 0o600)
}

func obey(node host.Host, kad *dht.IpfsDHT, words []string) (answer, error) {
	ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(context.Background(), "relays at their defaults"), wait)
	defer cancel()
	if len(words) < 2 {
		return nil, errors.New("usage: dial|ping|identify|reserve|close ADDRESS, open ADDRESS PROTOCOL, find ADDRESS PEERID")
	}
	there, err := peer.AddrInfoFromString(words[1])
	if err != nil {
		return nil, err
	}
	if words[0] == "close" {
		node.Network().(*swarm.Swarm).Backoff().Clear(there.ID)
		return answer{}, node.Network().ClosePeer(there.ID)
	}
	// Returns when the connection is up and identify is done.
	if err := node.Connect(ctx, *there); err != nil {
		return nil, err
	}
	switch words[0] {
	case "dial":
		state := node.Network().ConnsToPeer(there.ID)[0].ConnState()
		return answer{"security": string(state.Security), "transport": state.Transport}, nil
	case "ping":
		pong := <-ping.Ping(ctx, node, there.ID)
		return answer{"ms": pong.RTT.Seconds() * 1000}, pong.Error
	case "identify":
		return identified(node, there.ID)
	case "reserve":
		_, err := client.Reserve(ctx, node, *there)
		return answer{}, err
	case "open":
		return opened(ctx, node, there.ID, words[2])
	case "find":
		return found(ctx, kad, words[2])
	}
	return nil, errors.New("no such command: " + words[0])
}

func identified(node host.Host, id peer.ID) (answer, error) {
	agent, err := node.Peerstore().Get(id, "AgentVersion")
	if err != nil {
		return nil, err
	}
	protocols, err := node.Peerstore().GetProtocols(id)
	return answer{"agent": agent, "protocols": protocols}, err
}

// Whether the other side answers a byte, after it was sent some.
func opened(ctx context.Context, node host.Host, id peer.ID, name string) (answer, error) {
	stream, err := node.NewStream(ctx, id, protocol.ID(name))
	if err != nil {
		return nil, err
	}
	defer stream.Reset()
	_ = stream.SetDeadline(time.Now().Add(wait))
	if _, err := stream.Write(make([]byte, 64)); err != nil {
		return nil, err
	}
	read, err := stream.Read(make([]byte, 64))
	if read > 0 {
		return answer{"bytes": read}, nil
	}
	return nil, err
}

func found(ctx context.Context, kad *dht.IpfsDHT, text string) (answer, error) {
	id, err := peer.Decode(text)
	if err != nil {
		return nil, err
	}
	info, err := kad.FindPeer(ctx, id)
	if err != nil {
		return nil, err
	}
	addresses := []string{}
	for _, address := range info.Addrs {
		addresses = append(addresses, address.String())
	}
	return answer{"addresses": addresses}, nil
}
