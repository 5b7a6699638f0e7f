// Makes helia.json: what Helia's importer gives for inputs made by formula.
// Use: npm ci && npm run generate
import * as dagPb from '@ipld/dag-pb'
import { MemoryBlockstore } from 'blockstore-core'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

const MIB = 1024 * 1024
const THRESHOLD = 256 * 1024

// The bytes of a file: byte i is (7 i + 13 floor(i / 251) + seed) mod 256.
function content (size, seed) {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = 7 * i + 13 * Math.floor(i / 251) + seed
  return bytes
}

function options ({ base, chunkSize, maxLinks, shardThreshold, fanoutBits }) {
  const options = { profile: base }
  if (chunkSize != null) options.chunker = fixedSize({ chunkSize })
  if (maxLinks != null) options.layout = balanced({ maxChildrenPerNode: maxLinks })
  if (shardThreshold != null) options.shardSplitThresholdBytes = shardThreshold
  if (fanoutBits != null) options.shardFanoutBits = fanoutBits
  return options
}

const mtime = (time) => time && { secs: BigInt(time[0]), nsecs: time[1] === 0 ? undefined : time[1] }

function candidate (node) {
  const metadata = { mode: node.mode, mtime: mtime(node.mtime) }
  if (node.link != null) return { path: node.path, link: node.link, ...metadata }
  if (node.size != null) return { path: node.path, content: content(node.size, node.seed ?? 0), ...metadata }
  return { path: node.path, ...metadata }
}

// `many` stands for that many files of one byte, so that big folders stay small here.
function expand (tree) {
  return tree.flatMap(node => node.many == null
    ? [node]
    : Array.from({ length: node.many }, (_, i) => ({ path: `${node.path}${String(i).padStart(6, '0')}`, size: 1 })))
}

// Every block that can be reached, each once: [count, bytes].
async function reach (store, root) {
  const seen = new Set()
  const stack = [root]
  let bytes = 0
  while (stack.length > 0) {
    const cid = stack.pop()
    if (seen.has(cid.toString())) continue
    seen.add(cid.toString())
    const chunks = []
    for await (const chunk of store.get(cid)) chunks.push(chunk)
    const block = Buffer.concat(chunks)
    bytes += block.length
    if (cid.code === dagPb.code) stack.push(...dagPb.decode(block).Links.map(link => link.Hash))
  }
  return [seen.size, bytes]
}

async function vector (name, profile, tree) {
  const store = new MemoryBlockstore()
  const single = tree.length === 1 && tree[0].path === '' && tree[0].many == null
  const sources = expand(tree).map(candidate)
  let last
  for await (const entry of importer(sources, store, { ...options(profile), wrapWithDirectory: !single })) last = entry
  const [blocks, bytes] = await reach(store, last.cid)
  return { name, profile, tree, cid: last.cid.toString(), size: Number(last.size), blocks, bytes }
}

const V1 = { base: 'unixfs-v1-2025' }
const V0 = { base: 'unixfs-v0-2015' }
// `ipfs add --cid-version=1`
const LEGACY = { base: 'legacy-cidv1' }
const legacyOptions = { profile: 'unixfs-v0-2015', cidVersion: 1, rawLeaves: true }

const file = (size, more = {}) => [{ path: '', size, ...more }]
const vectors = []
const add = async (...vector_) => vectors.push(await vector(...vector_))

for (const [base, chunk] of [[V1, MIB], [V0, THRESHOLD]]) {
  for (const size of [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 5]) {
    await add(`${base.base}: file of ${size} bytes`, base, file(size))
  }
}
// The same numbers of links with chunks of 64 bytes: deep trees of small files.
for (const [base, links] of [[V1, 1024], [V0, 174]]) {
  for (const chunks of [links - 1, links, links + 1, 2 * links, 2 * links + 1]) {
    await add(`${base.base}: ${chunks} chunks`, { ...base, chunkSize: 64 }, file(64 * chunks))
  }
}
for (const chunks of [3, 4, 5, 15, 16, 17, 20, 21, 63, 64, 65, 255, 256, 257, 341, 1000]) {
  await add(`${chunks} chunks, 4 links a node`, { ...V1, chunkSize: 16, maxLinks: 4 }, file(16 * chunks))
}

const times = { mode: 0o600, mtime: [1700000000, 123456789] }
for (const [name, metadata] of Object.entries({
  mode: { mode: 0o600 },
  'default mode': { mode: 0o644 },
  'mode 0': { mode: 0 },
  'setuid mode': { mode: 0o4755 },
  mtime: { mtime: [1700000000, 0] },
  'mtime before 1970': { mtime: [-1, 999999999] },
  'mtime 0': { mtime: [0, 0] },
  'mode and mtime': times
})) {
  for (const size of [0, 1, 127, 128, MIB]) await add(`file of ${size} bytes with ${name}`, V1, file(size, metadata))
  await add(`file of two chunks with ${name}`, { ...V1, chunkSize: 64 }, file(65, metadata))
  await add(`folder with ${name}`, V1, [{ path: 'inner', ...metadata }, { path: 'inner/a', size: 3 }])
  await add(`sharded folder with ${name}`, { ...V1, shardThreshold: 64 }, [{ path: 'inner', ...metadata }, { path: 'inner/', many: 4 }])
  await add(`symbolic link with ${name}`, V1, [{ path: 'link', link: '../a/b', ...metadata }])
}

const nested = [
  { path: 'a.txt', size: 5 },
  { path: 'b/c.bin', size: 3000, seed: 9, ...times },
  { path: 'b/d/e/f', size: 0 },
  { path: 'b/empty' },
  { path: 'b/link', link: 'c.bin' },
  { path: 'Z', size: 70000 },
  { path: 'naïve ☃ 🌅.jpg', size: 12 },
  { path: 'aa', size: 1 }
]
await add('nested folders', V1, nested)
// Without metadata: the importer wraps a leaf that is dag-pb already once more.
await add('nested folders', V0, nested.map(({ path, size, seed, link }) => ({ path, size, seed, link })))
await add('a folder of one', V1, [{ path: 'only', size: 1 }])

// Folders on both sides of the threshold, to the byte. A link to a file of one
// byte named entry-nnnnnn is 56 bytes; one with a name of n bytes 44 + n.
const nodeBytes = (target) => {
  const count = Math.floor((target - 4) / 56) - 1
  return [{ path: 'entry-', many: count }, { path: 'z'.repeat(target - 4 - 56 * count - 44), size: 1 }]
}
for (const over of [-1, 0, 1]) await add(`folder of ${THRESHOLD + over} bytes`, V1, nodeBytes(THRESHOLD + over))
// By links: 34-byte CIDs of version 0, names of 12 bytes.
const linkBytes = (target) => {
  const count = Math.floor(target / 46) - 2
  return [{ path: 'entry-', many: count }, { path: 'z'.repeat(target - 46 * count - 34), size: 1 }]
}
for (const over of [-1, 0, 1]) await add(`folder of ${THRESHOLD + over} bytes of links`, V0, linkBytes(THRESHOLD + over))

for (const bits of [3, 4, 5, 8, 10]) {
  for (const many of [1, 2, 100, 1500]) {
    await add(`sharded folder of ${many}, fan-out ${2 ** bits}`, { ...V1, shardThreshold: 1, fanoutBits: bits }, [{ path: 'entry-', many }])
  }
}
await add('sharded folder of 10000', V1, [{ path: 'photo-', many: 10000 }])
await add('sharded folder of 10000', V0, [{ path: 'photo-', many: 10000 }])
await add('sharded folder with nested ones', { ...V1, shardThreshold: 100 }, [...nested, { path: 'many/x-', many: 300 }])

// The legacy profile is the old one with two options set.
for (const size of [0, 1, THRESHOLD, THRESHOLD + 1, MIB + 1]) {
  const store = new MemoryBlockstore()
  let last
  for await (const entry of importer([{ content: content(size, 0) }], store, { ...legacyOptions })) last = entry
  const [blocks, bytes] = await reach(store, last.cid)
  vectors.push({ name: `${LEGACY.base}: file of ${size} bytes`, profile: LEGACY, tree: file(size), cid: last.cid.toString(), size: Number(last.size), blocks, bytes })
}

console.log('[\n' + vectors.map(v => JSON.stringify(v)).join(',\n') + '\n]')
