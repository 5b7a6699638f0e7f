// A js-libp2p peer with one transport, one security protocol and one muxer.
// Prints JSON lines; runs until its standard input ends.
//
//   node peer.mjs TRANSPORT SECURITY MUXER [--dial ADDRESS] [--echo BYTES]
//     TRANSPORT: tcp | ws     SECURITY: noise | tls     MUXER: yamux | mplex
//
// It listens on loopback and answers identify, ping and an echo protocol.
// With --dial it pings the peer there, reads what it says of itself, and
// sends it BYTES bytes to be echoed.

// Node.js 20 lacks these two things that libp2p uses.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

globalThis.WebSocket ??= (await import('ws')).WebSocket

const { createLibp2p } = await import('libp2p')
const { identify } = await import('@libp2p/identify')
const { ping } = await import('@libp2p/ping')
const { multiaddr } = await import('@multiformats/multiaddr')

const ECHO = '/peerage/echo/1'
const print = (line) => process.stdout.write(JSON.stringify(line) + '\n')

const [transport, security, muxer, ...rest] = process.argv.slice(2)
const option = (name) => rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined

const transports = {
  tcp: async () => [(await import('@libp2p/tcp')).tcp(), '/ip4/127.0.0.1/tcp/0'],
  ws: async () => [(await import('@libp2p/websockets')).webSockets(), '/ip4/127.0.0.1/tcp/0/ws']
}
const securities = {
  noise: async () => (await import('@chainsafe/libp2p-noise')).noise(),
  tls: async () => (await import('@libp2p/tls')).tls()
}
const muxers = {
  yamux: async () => (await import('@chainsafe/libp2p-yamux')).yamux(),
  mplex: async () => (await import('@libp2p/mplex')).mplex()
}

const [carrier, listen] = await transports[transport]()
const node = await createLibp2p({
  addresses: { listen: [listen] },
  transports: [carrier],
  connectionEncrypters: [await securities[security]()],
  streamMuxers: [await muxers[muxer]()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping() }
})

await node.handle(ECHO, async (stream) => {
  for await (const chunk of stream) {
    if (!stream.send(chunk)) await stream.onDrain()
  }
  await stream.close()
})

node.addEventListener('peer:identify', ({ detail }) => {
  print({ event: 'identified', peer: detail.peerId.toString(), agent: detail.agentVersion, protocols: detail.protocols })
})
print({ event: 'listening', peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) })

/** Sends bytes to be echoed, and counts those that came back right. */
async function echo (connection, size) {
  const stream = await connection.newStream(ECHO)
  const sent = new Uint8Array(size).map((_, index) => index * 31 + (index >> 8))
  const writing = (async () => {
    for (let at = 0; at < size; at += 65536) {
      if (!stream.send(sent.subarray(at, Math.min(size, at + 65536)))) await stream.onDrain()
    }
    await stream.close()
  })()
  let received = 0
  let wrong = 0
  for await (const chunk of stream) {
    for (const byte of chunk.subarray()) {
      if (byte !== sent[received++]) wrong++
    }
  }
  await writing
  return { received, wrong }
}

const address = option('--dial')
if (address !== undefined) {
  try {
    const connection = await node.dial(multiaddr(address))
    print({ event: 'connected', peer: connection.remotePeer.toString(), security: connection.encryption, muxer: connection.multiplexer })
    print({ event: 'pinged', milliseconds: await node.services.ping.ping(connection.remotePeer) })
    print({ event: 'echoed', ...await echo(connection, Number(option('--echo') ?? 0)) })
  } catch (error) {
    print({ event: 'failed', name: error.name, message: error.message })
  }
}

process.stdin.resume()
process.stdin.on('end', async () => {
  await node.stop()
  process.exit(0)
})
