//! A plain rust-libp2p node for scripts/interop.ts: one command a line on stdin, one JSON answer a line on stdout.
//! Usage: qmt-interop KEYFILE tls|noise LISTEN…

use std::{collections::{HashMap, HashSet}, env, error::Error, fs, io::{ErrorKind, Write}, os::unix::fs::OpenOptionsExt, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, identity::Keypair, kad, multiaddr::Protocol, noise, ping, relay,
    swarm::{NetworkBehaviour, SwarmEvent}, tcp, tls, yamux,
};
use serde_json::{Value, json};
use tokio::{io::{AsyncBufReadExt, BufReader}, time::timeout};

const WAIT: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    kad: kad::Behaviour<kad::store::MemoryStore>,
    stream: libp2p_stream::Behaviour,
    relay: relay::Behaviour,
    relayed: relay::client::Behaviour,
}

/// What the swarm told so far.
#[derive(Default)]
struct Seen {
    listening: Vec<Multiaddr>,
    connected: HashMap<PeerId, usize>,
    failure: Option<String>,
    /// Relays at which it has a place.
    places: HashSet<PeerId>,
    no_place: Option<String>,
    pings: HashMap<PeerId, Duration>,
    identified: HashMap<PeerId, identify::Info>,
    found: HashMap<kad::QueryId, Vec<kad::PeerInfo>>,
}

impl Seen {
    fn note(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => self.listening.push(address),
            SwarmEvent::ConnectionEstablished { peer_id, .. } => *self.connected.entry(peer_id).or_default() += 1,
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                self.connected.remove(&peer_id);
                self.pings.remove(&peer_id);
                self.identified.remove(&peer_id);
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => self.failure = Some(error.to_string()),
            SwarmEvent::ListenerClosed { reason, .. } => self.no_place = Some(format!("{reason:?}")),
            SwarmEvent::Behaviour(BehaviourEvent::Relayed(relay::client::Event::ReservationReqAccepted { relay_peer_id, .. })) => {
                self.places.insert(relay_peer_id);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, result: Ok(time), .. })) => {
                self.pings.insert(peer, time);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
                self.identified.insert(peer_id, info);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result: kad::QueryResult::GetClosestPeers(result),
                ..
            })) => {
                self.found.insert(id, result.map(|ok| ok.peers).unwrap_or_default());
            }
            _ => {}
        }
    }
}

struct Node {
    swarm: Swarm<Behaviour>,
    seen: Seen,
}

impl Node {
    /// Lets the swarm run until `done` has a value.
    async fn until<T>(&mut self, mut done: impl FnMut(&mut Seen) -> Option<Result<T, Failure>>) -> Result<T, Failure> {
        let Node { swarm, seen } = self;
        timeout(WAIT, async move {
            loop {
                if let Some(result) = done(seen) {
                    return result;
                }
                seen.note(swarm.select_next_some().await);
            }
        })
        .await?
    }

    async fn connect(&mut self, peer: PeerId, address: Multiaddr) -> Result<(), Failure> {
        self.seen.failure = None;
        if !self.seen.connected.contains_key(&peer) {
            self.swarm.dial(address)?;
        }
        self.until(|seen| match seen.failure.take() {
            Some(text) => Some(Err(text.into())),
            None => seen.connected.contains_key(&peer).then_some(Ok(())),
        })
        .await
    }

    async fn obey(&mut self, words: &[&str]) -> Result<Value, Failure> {
        let [command, address, rest @ ..] = words else { return Err("which command, and which address?".into()) };
        let address: Multiaddr = address.parse()?;
        let Some(Protocol::P2p(peer)) = address.iter().last() else { return Err("an address with /p2p is needed".into()) };
        if *command == "close" {
            let _ = self.swarm.disconnect_peer_id(peer);
            return self.until(|seen| (!seen.connected.contains_key(&peer)).then_some(Ok(json!({})))).await;
        }
        self.connect(peer, address.clone()).await?;
        match (*command, rest) {
            ("dial", _) => Ok(json!({})),
            ("ping", _) => {
                let time = self.until(|seen| seen.pings.get(&peer).copied().map(Ok)).await?;
                Ok(json!({ "ms": time.as_secs_f64() * 1000.0 }))
            }
            ("identify", _) => {
                let info = self.until(|seen| seen.identified.get(&peer).cloned().map(Ok)).await?;
                let protocols: Vec<String> = info.protocols.iter().map(ToString::to_string).collect();
                Ok(json!({ "agent": info.agent_version, "protocols": protocols, "told": info.listen_addrs }))
            }
            ("reserve", _) => self.reserve(peer, address).await,
            ("open", [protocol]) => self.open(peer, StreamProtocol::try_from_owned((*protocol).to_owned())?).await,
            ("find", [id]) => {
                self.swarm.behaviour_mut().kad.add_address(&peer, address);
                self.find(id.parse()?).await
            }
            _ => Err(format!("no such command: {command}").into()),
        }
    }

    async fn reserve(&mut self, relay: PeerId, address: Multiaddr) -> Result<Value, Failure> {
        self.seen.no_place = None;
        self.swarm.listen_on(address.with(Protocol::P2pCircuit))?;
        self.until(|seen| match seen.no_place.take() {
            Some(text) => Some(Err(text.into())),
            None => seen.places.contains(&relay).then(|| Ok(json!({}))),
        })
        .await
    }

    /// Whether the other side answers a byte, after it was sent some.
    async fn open(&mut self, peer: PeerId, protocol: StreamProtocol) -> Result<Value, Failure> {
        let mut control = self.swarm.behaviour().stream.new_control();
        let probe = async move {
            let mut stream = control.open_stream(peer, protocol).await?;
            stream.write_all(&[0; 64]).await?;
            stream.flush().await?;
            match stream.read(&mut [0; 64]).await? {
                0 => Err("the stream ended".into()),
                bytes => Ok::<Value, Failure>(json!({ "bytes": bytes })),
            }
        };
        let Node { swarm, seen } = self;
        tokio::pin!(probe);
        timeout(WAIT, async move {
            loop {
                tokio::select! {
                    result = &mut probe => return result,
                    event = swarm.select_next_some() => seen.note(event),
                }
            }
        })
        .await?
    }

    async fn find(&mut self, id: PeerId) -> Result<Value, Failure> {
        let query = self.swarm.behaviour_mut().kad.get_closest_peers(id);
        let peers = self.until(|seen| seen.found.remove(&query).map(Ok)).await?;
        match peers.into_iter().find(|peer| peer.peer_id == id) {
            Some(peer) => Ok(json!({ "addresses": peer.addrs })),
            None => Err("nobody knows it".into()),
        }
    }
}

/// The key file is made when there is none: libp2p's protobuf.
fn load_key(file: &str) -> Result<Keypair, Failure> {
    match fs::read(file) {
        Ok(bytes) => Ok(Keypair::from_protobuf_encoding(&bytes)?),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = Keypair::generate_ed25519();
            let mut made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
            made.write_all(&key.to_protobuf_encoding()?)?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}

fn behaviour(key: &Keypair, relayed: relay::client::Behaviour) -> Behaviour {
    let id = key.public().to_peer_id();
    let mut kad = kad::Behaviour::with_config(id, kad::store::MemoryStore::new(id), kad::Config::new(StreamProtocol::new("/qmt/kad/1.0.0")));
    kad.set_mode(Some(kad::Mode::Server));
    Behaviour {
        identify: identify::Behaviour::new(
            identify::Config::new("ipfs/0.1.0".into(), key.public()).with_agent_version("qmt-interop-rust".into()),
        ),
        ping: ping::Behaviour::default(),
        kad,
        stream: libp2p_stream::Behaviour::new(),
        relay: relay::Behaviour::new(id, relay::Config::default()),
        relayed,
    }
}

fn swarm(key: Keypair, security: &str) -> Result<Swarm<Behaviour>, Failure> {
    let idle = |config: libp2p::swarm::Config| config.with_idle_connection_timeout(Duration::from_secs(60));
    let builder = SwarmBuilder::with_existing_identity(key).with_tokio();
    Ok(if security == "tls" {
        let tcp = builder.with_tcp(tcp::Config::default(), tls::Config::new, yamux::Config::default)?;
        let all = tcp.with_quic().with_relay_client(tls::Config::new, yamux::Config::default)?;
        all.with_behaviour(behaviour)?.with_swarm_config(idle).build()
    } else {
        let tcp = builder.with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?;
        let all = tcp.with_quic().with_relay_client(noise::Config::new, yamux::Config::default)?;
        all.with_behaviour(behaviour)?.with_swarm_config(idle).build()
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [key_file, security, listen @ ..] = arguments.as_slice() else { return Err("usage: KEYFILE tls|noise LISTEN…".into()) };
    let mut node = Node { swarm: swarm(load_key(key_file)?, security)?, seen: Seen::default() };
    for address in listen {
        node.swarm.listen_on(address.parse()?)?;
    }
    let count = listen.len();
    let bound = node.until(|seen| (seen.listening.len() >= count).then(|| Ok(seen.listening.clone()))).await?;
    for address in &bound {
        node.swarm.add_external_address(address.clone()); // a relay tells them with the places that it gives
    }
    let id = *node.swarm.local_peer_id();
    let addresses: Vec<String> = bound.iter().map(|address| format!("{address}/p2p/{id}")).collect();
    println!("{}", json!({ "ok": true, "peerId": id.to_string(), "addresses": addresses }));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = node.swarm.select_next_some() => node.seen.note(event),
            line = lines.next_line() => {
                let Some(line) = line? else { return Ok(()) };
                let words: Vec<&str> = line.split_whitespace().collect();
                let mut answer = match node.obey(&words).await {
                    Ok(answer) => answer,
                    Err(error) => json!({ "error": error.to_string() }),
                };
                answer["ok"] = json!(answer.get("error").is_none());
                println!("{answer}");
            }
        }
    }
}
