// Two nodes of the Mainline DHT, by bittorrent-dht: one to begin with, and one
// that began with it and does what it is told. Prints JSON lines; runs until
// its standard input ends.
//
//   ["announce", INFO_HASH, PORT]         ["lookup", INFO_HASH]
//   ["put", SEED, SALT, SEQUENCE, VALUE]  ["get", PUBLIC_KEY, SALT]
//
// Bytes are hexadecimal; a salt is a text.

import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import { createInterface } from 'node:readline'
import DHT from 'bittorrent-dht'

const print = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const hex = (text) => Buffer.from(text, 'hex')

// What stands before the bytes of an Ed25519 key in DER (RFC 8410).
const PRIVATE = hex('302e020100300506032b657004220420')
const PUBLIC = hex('302a300506032b6570032100')
const privateKey = (seed) =>
  createPrivateKey({ key: Buffer.concat([PRIVATE, seed]), format: 'der', type: 'pkcs8' })
const publicKey = (bytes) =>
  createPublicKey({ key: Buffer.concat([PUBLIC, bytes]), format: 'der', type: 'spki' })

const options = { verify: (signature, data, key) => verify(null, data, publicKey(key), signature) }
const listen = async (bootstrap) => {
  const dht = new DHT({ ...options, bootstrap })
  await new Promise((resolve) => dht.listen(0, '127.0.0.1', resolve))
  return dht
}
const first = await listen(false)
const place = `127.0.0.1:${first.address().port}`
const second = await listen([place])
await new Promise((resolve) => second.once('ready', resolve))

const done = (call) => new Promise((resolve, reject) => {
  call((error, result) => error ? reject(error) : resolve(result))
})

const commands = {
  announce: async (hash, port) => {
    await done((end) => second.announce(hash, port, end))
    return { event: 'announced' }
  },
  lookup: async (hash) => {
    const peers = new Set()
    const note = (peer) => peers.add(`${peer.host}:${peer.port}`)
    second.on('peer', note)
    await done((end) => second.lookup(hash, end))
    second.off('peer', note)
    return { event: 'looked up', peers: [...peers] }
  },
  put: async (seed, salt, seq, value) => {
    const key = privateKey(hex(seed))
    const k = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(PUBLIC.length)
    const item = { k, salt: Buffer.from(salt), seq, v: hex(value), sign: (data) => sign(null, data, key) }
    await done((end) => second.put(item, end))
    return { event: 'put' }
  },
  get: async (key, salt) => {
    const target = createHash('sha1').update(hex(key)).update(salt).digest()
    const found = await done((end) => second.get(target, { salt: Buffer.from(salt), cache: false }, end))
    return { event: 'got', value: found?.v.toString('hex') ?? null, sequence: found?.seq ?? null }
  }
}

print({ event: 'listening', place })
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...operands] = JSON.parse(line)
  try {
    print(await commands[name](...operands))
  } catch (error) {
    print({ event: 'failed', name: error.name, message: error.message })
  }
}
await done((end) => second.destroy(end))
await done((end) => first.destroy(end))
process.exit(0)
