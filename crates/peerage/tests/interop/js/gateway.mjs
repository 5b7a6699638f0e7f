// Helia's trustless-gateway broker and @ipld/car, at a gateway on loopback.
// Prints one JSON line with what they got.
//
//   node gateway.mjs PORT ROOT

// Node.js 20 lacks this one thing that libp2p uses.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

const { trustlessGateway } = await import('@helia/block-brokers')
const { CarReader } = await import('@ipld/car')
const dagPb = await import('@ipld/dag-pb')
const { defaultLogger } = await import('@libp2p/logger')
const { multiaddr } = await import('@multiformats/multiaddr')
const { CID } = await import('multiformats/cid')
const { sha256 } = await import('multiformats/hashes/sha2')

const [port, root] = process.argv.slice(2)
const print = (line) => process.stdout.write(JSON.stringify(line) + '\n')

// Everything is to be found at the one gateway.
const routing = {
  async * findProviders () {
    yield { multiaddrs: [multiaddr(`/ip4/127.0.0.1/tcp/${port}/http`)], routing: 'test' }
  }
}

const verify = async (cid, bytes) => {
  const digest = (await sha256.digest(bytes)).digest
  if (Buffer.compare(Buffer.from(digest), Buffer.from(cid.multihash.digest)) !== 0) {
    throw new Error(`${cid} does not hash`)
  }
}

const broker = trustlessGateway({ allowInsecure: true, allowLocal: true })({ routing, logger: defaultLogger() })

const walk = async (cid) => {
  const bytes = await broker.retrieve(cid, { validateFn: (block) => verify(cid, block) })
  if (cid.code !== dagPb.code) return 1
  let count = 1
  for (const link of dagPb.decode(bytes).Links) count += await walk(link.Hash)
  return count
}

const car = async (path) => {
  const answer = await fetch(`http://127.0.0.1:${port}/ipfs/${path}`, {
    headers: { accept: 'application/vnd.ipld.car; version=1; order=dfs; dups=n' }
  })
  if (!answer.ok) throw new Error(await answer.text())
  const reader = await CarReader.fromBytes(new Uint8Array(await answer.arrayBuffer()))
  let count = 0
  for await (const { cid, bytes } of reader.blocks()) {
    await verify(cid, bytes)
    count++
  }
  return { count, roots: (await reader.getRoots()).map(String) }
}

try {
  const walked = await walk(CID.parse(root))
  const whole = await car(root)
  const range = await car(`${root}/file%20name?entity-bytes=0:9`)
  print({ event: 'done', walked, car: whole.count, roots: whole.roots, range: range.count })
} catch (error) {
  print({ event: 'failed', error: String(error) })
}
