"""Whoever has the root key and every byte of a directory, written from docs/file.md alone.

scan.py ROOT_KEY_FILE FOLDER TEXT... opens every key of the key file, looks for sealed parts at every byte of every
file (journal, database with its free pages, keys, whatever else is there), decrypts each with every key, without
asking whether it is authentic, and prints as JSON in how many places each text was found: in the clear or sealed.
"""

import json
import os
import struct
import sys


def tables():
    """The S-box of AES (FIPS 197 section 5.1.1)."""
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ ((p << 1) & 0xFF) ^ (0x1B if p & 0x80 else 0)
        for shift in (1, 2, 4):
            q ^= (q << shift) & 0xFF
        if q & 0x80:
            q ^= 0x09
        turned = 0
        for shift in range(5):
            turned ^= ((q << shift) | (q >> (8 - shift))) & 0xFF
        box[p] = turned ^ 0x63
        if p == 1:
            break
    box[0] = 0x63
    return box


SBOX = tables()
DOUBLE = [((b << 1) ^ (0x1B if b & 0x80 else 0)) & 0xFF for b in range(256)]


class Aes256:
    """One block at a time, forwards: all that counter mode needs."""

    def __init__(self, key):
        words, power = [list(key[at : at + 4]) for at in range(0, 32, 4)], 1
        for at in range(8, 60):
            word = list(words[at - 1])
            if at % 8 == 0:
                word = [SBOX[b] for b in word[1:] + word[:1]]
                word[0] ^= power
                power = DOUBLE[power]
            elif at % 8 == 4:
                word = [SBOX[b] for b in word]
            words.append([a ^ b for a, b in zip(words[at - 8], word)])
        self.rounds = [sum(words[at : at + 4], []) for at in range(0, 60, 4)]

    def block(self, block):
        state = [a ^ b for a, b in zip(block, self.rounds[0])]
        for no in range(1, 15):
            state = [SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
            if no < 14:
                mixed = []
                for at in range(0, 16, 4):
                    a, b, c, d = state[at : at + 4]
                    all_four = a ^ b ^ c ^ d
                    mixed += [
                        a ^ all_four ^ DOUBLE[a ^ b],
                        b ^ all_four ^ DOUBLE[b ^ c],
                        c ^ all_four ^ DOUBLE[c ^ d],
                        d ^ all_four ^ DOUBLE[d ^ a],
                    ]
                state = mixed
            state = [a ^ b for a, b in zip(state, self.rounds[no])]
        return bytes(state)


def multiplied(x, y):
    """In the field of GCM (NIST SP 800-38D section 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            product ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return product


class Key:
    def __init__(self, key):
        self.aes = Aes256(key)

    def counter(self, nonce, sealed):
        """What was sealed, whether it is authentic or not."""
        plain = bytearray()
        for no in range(0, len(sealed), 16):
            stream = self.aes.block(nonce + struct.pack(">I", 2 + no // 16))
            plain += bytes(a ^ b for a, b in zip(sealed[no : no + 16], stream))
        return bytes(plain)

    def opened(self, nonce, associated, sealed, tag):
        """What was sealed; nothing when it is not authentic."""
        h, hash = int.from_bytes(self.aes.block(bytes(16)), "big"), 0
        pad = lambda b: b + bytes(-len(b) % 16)
        all = pad(associated) + pad(sealed) + struct.pack(">QQ", 8 * len(associated), 8 * len(sealed))
        for at in range(0, len(all), 16):
            hash = multiplied(hash ^ int.from_bytes(all[at : at + 16], "big"), h)
        mask = int.from_bytes(self.aes.block(nonce + struct.pack(">I", 1)), "big")
        if (hash ^ mask).to_bytes(16, "big") != tag:
            return None
        return self.counter(nonce, sealed)


def keyed(key, text):
    """BLAKE3 (its paper, section 2) with a key, of at most 64 bytes: one block that is chunk and root at once."""
    mask = 0xFFFFFFFF
    initial = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A)
    words = list(struct.unpack("<16I", text.ljust(64, b"\0")))
    state = [*struct.unpack("<8I", key), *initial, 0, 0, len(text), 1 | 2 | 8 | 16]
    turn = lambda x, by: (x >> by | x << (32 - by)) & mask

    def mix(a, b, c, d, x, y):
        for word, one, two in ((x, 16, 12), (y, 8, 7)):
            state[a] = (state[a] + state[b] + word) & mask
            state[d] = turn(state[d] ^ state[a], one)
            state[c] = (state[c] + state[d]) & mask
            state[b] = turn(state[b] ^ state[c], two)

    for _ in range(7):
        for at in range(4):
            mix(at, 4 + at, 8 + at, 12 + at, words[2 * at], words[2 * at + 1])
        for at in range(4):
            mix(at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4, words[8 + 2 * at], words[9 + 2 * at])
        words = [words[at] for at in (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)]
    return struct.pack("<8I", *(state[at] ^ state[at + 8] for at in range(8)))


def keys_of(bytes_, root, root_bytes):
    """Every key that the root key leads to: of tenants, and of their subjects and buckets."""
    slots = [bytes_[at : at + 64] for at in range(0, len(bytes_) - 63, 64)]
    tenants, found = [], []

    def at(slot, under, tenant):
        nonce, wrapped, tag, state = slots[slot][:12], slots[slot][12:44], slots[slot][44:60], slots[slot][60:]
        if state != struct.pack("<I", 1):
            return None
        return under.opened(nonce, struct.pack("<QI", tenant, slot), wrapped, tag)

    for slot in range(1, len(slots) - 3, 4):
        if slots[slot][60:] == struct.pack("<I", 2):
            tenant = struct.unpack("<Q", slots[slot][12:20])[0]
            sealing = at(slot + 3, root, tenant)
            if sealing:
                under = keyed(root_bytes, b"tessera slots v1" + struct.pack("<Q", tenant) + sealing)
                tenants.append((tenant, Key(under)))
                found.append(Key(sealing))
    for slot in range(1, len(slots)):
        for tenant, under in tenants:
            key = at(slot, under, tenant)
            if key:
                found.append(Key(key))
                break
    return found


MAGIC = b"\xfeTSP"


def parts(bytes_):
    """Whatever looks like a sealed part: nonce and sealed bytes."""
    at = bytes_.find(MAGIC)
    while at >= 0:
        owner, length = struct.unpack("<II", bytes_[at + 4 : at + 12].ljust(8, b"\0"))
        sealed = bytes_[at + 24 : at + 24 + length]
        if 0 < length <= 1 << 20 and len(sealed) == length:
            yield bytes_[at + 12 : at + 24], sealed
        at = bytes_.find(MAGIC, at + 1)


def main():
    root_bytes = bytes.fromhex(open(sys.argv[1]).read().strip())
    root = Key(root_bytes)
    texts = {text: 0 for text in sys.argv[3:]}
    files = {}
    for folder, _, names in os.walk(sys.argv[2]):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                files[path] = file.read()
    keys = {}
    for path, bytes_ in files.items():
        if os.path.basename(path) in ("keys-a", "keys-b", "keys"):
            keys[path] = keys_of(bytes_, root, root_bytes)
    clear = {text: 0 for text in texts}
    seen = set()
    for bytes_ in files.values():
        for text in texts:
            clear[text] += bytes_.count(text.encode())
        seen.update(parts(bytes_))
    # Copies of a key file have the same keys.
    every = {key.aes.block(bytes(16)): key for some in keys.values() for key in some}
    for nonce, sealed in seen:
        for key in every.values():
            plain = key.counter(nonce, sealed)
            for text in texts:
                texts[text] += plain.count(text.encode())
    print(json.dumps({"keys": len(every), "parts": len(seen), "sealed": texts, "clear": clear}))


main()
