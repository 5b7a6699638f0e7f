// A Helia node on loopback, steered line by line. Prints JSON lines; runs until
// its standard input ends.
//
// It prints {"event": "listening", peer, addresses}, then answers each command,
// a line of JSON:
//
//   ["connect", ADDRESS]   dials a peer, and waits until it is identified
//   ["add", FOLDER]        adds a folder: {"event": "added", cid}
//   ["get", CID, FOLDER]   gets a folder from connected peers by bitswap

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

// Node.js 20 lacks this one thing that libp2p uses.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

const { noise } = await import('@chainsafe/libp2p-noise')
const { yamux } = await import('@chainsafe/libp2p-yamux')
const { bitswap } = await import('@helia/block-brokers')
const { unixfs } = await import('@helia/unixfs')
const { Helia } = await import('@helia/utils')
const { identify } = await import('@libp2p/identify')
const { tcp } = await import('@libp2p/tcp')
const { multiaddr } = await import('@multiformats/multiaddr')
const { MemoryBlockstore } = await import('blockstore-core')
const { MemoryDatastore } = await import('datastore-core')
const { createLibp2p } = await import('libp2p')
const { CID } = await import('multiformats/cid')

// How many files of a folder are asked for at the same time.
const AT_ONCE = 100

const print = (line) => process.stdout.write(JSON.stringify(line) + '\n')

const datastore = new MemoryDatastore()
const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify() },
  datastore
})
const helia = new Helia({
  libp2p,
  datastore,
  blockstore: new MemoryBlockstore(),
  blockBrokers: [bitswap()],
  routers: []
})
await helia.start()
const files = unixfs(helia)

async function * candidates (folder, prefix = '') {
  for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
    const path = join(prefix, entry.name)
    if (entry.isDirectory()) {
      yield * candidates(folder, path)
    } else {
      yield { path, content: new Uint8Array(await readFile(join(folder, path))) }
    }
  }
}

async function save (cid, path) {
  const chunks = []
  for await (const chunk of files.cat(cid)) chunks.push(chunk)
  await writeFile(path, Buffer.concat(chunks))
}

async function get (cid, folder) {
  await mkdir(folder, { recursive: true })
  const pending = []
  for await (const entry of files.ls(cid)) {
    // The packages' CIDs are of several versions, which do not take each other.
    pending.push(getEntry(CID.parse(entry.cid.toString()), join(folder, entry.name)))
    if (pending.length === AT_ONCE) await Promise.all(pending.splice(0))
  }
  await Promise.all(pending)
}

async function getEntry (cid, path) {
  const { type } = await files.stat(cid)
  return type === 'directory' ? get(cid, path) : save(cid, path)
}

const commands = {
  connect: async (address) => {
    await libp2p.dial(multiaddr(address))
    return { event: 'connected' }
  },
  add: async (folder) => {
    let root
    const options = { profile: 'unixfs-v1-2025', wrapWithDirectory: true }
    for await (const entry of files.addAll(candidates(folder), options)) root = entry
    return { event: 'added', cid: root.cid.toString() }
  },
  get: async (cid, folder) => {
    await get(CID.parse(cid), folder)
    return { event: 'got' }
  }
}

print({ event: 'listening', peer: libp2p.peerId.toString(), addresses: libp2p.getMultiaddrs().map(String) })
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...operands] = JSON.parse(line)
  try {
    print(await commands[name](...operands))
  } catch (error) {
    print({ event: 'failed', name: error.name, message: error.message })
  }
}
await helia.stop()
await libp2p.stop()
process.exit(0)
