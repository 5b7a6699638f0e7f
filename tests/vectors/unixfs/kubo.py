"""Makes kubo.json's inputs in a folder, for `ipfs add -r` of each: see README.md.

Use: python3 kubo.py DIR
"""
import os
import sys

CHUNK = 256 * 1024


def content(size):
    return bytes((7 * i + 13 * (i // 251)) & 255 for i in range(size))


def write(path, size):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content(size))


base = sys.argv[1]
for size in (0, 1, CHUNK, CHUNK + 1, 4 * CHUNK + 1, 174 * CHUNK, 174 * CHUNK + 1):
    write(f"{base}/file-{size}", size)
write(f"{base}/folder/a.txt", 3)
write(f"{base}/folder/sub/b.bin", 300000)
os.makedirs(f"{base}/folder/sub/empty")
os.symlink("a.txt", f"{base}/folder/link")
for index in range(10000):
    write(f"{base}/many/photo-{index:06}", 1)
