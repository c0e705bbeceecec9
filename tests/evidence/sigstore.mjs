// @sigstore/verify and @sigstore/core: checkpoint, inclusion proof and the encoding that DSSE signs.
// The two checks are not exported by the package, so their files are read directly.

import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const cache = join(import.meta.dirname, '../../.cache/node-evidence');
const require = createRequire(join(cache, 'package.json'));
const modules = join(cache, 'node_modules/@sigstore/verify/dist/tlog');
const { verifyCheckpoint } = require(join(modules, 'checkpoint.js'));
const { verifyMerkleInclusion } = require(join(modules, 'merkle.js'));
const { dsse } = require('@sigstore/core');

const fixture = process.argv[2];
const read = (name) => readFileSync(join(fixture, name));
let failed = false;

function tell(name, why) {
  failed ||= why !== undefined;
  console.log(why === undefined ? `ok ${name}` : `FAILED ${name}: ${why}`);
}

function accepts(name, check) {
  try {
    tell(name, check() === false ? 'it was refused' : undefined);
  } catch (error) {
    tell(name, error.message);
  }
}

function refuses(name, check) {
  try {
    tell(name, check() === false ? undefined : 'it was accepted');
  } catch (error) {
    tell(name, error.name === 'VerificationError' || error.code === 'TLOG_INCLUSION_PROOF_ERROR' ? undefined : error.message);
  }
}

const flip = (content, at) => {
  const changed = Buffer.from(content);
  changed[at] ^= 1;
  return changed;
};

const ed25519 = (raw) =>
  createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' });

const [origin, id, ...encoded] = read('log.vkey').toString().split('+');
const publicKey = ed25519(Buffer.from(encoded.join('+'), 'base64').subarray(1));
const logs = [{ logID: Buffer.from(id, 'hex'), baseURL: origin, publicKey }];

const [head] = read('record.tlog-proof').toString().split('\n\n');
const hashes = head.split('\n').slice(3).map((line) => Buffer.from(line, 'base64'));
const note = read('log/checkpoint').toString();

function included({ text = note, leaf = read('leaf'), index = '300', path = hashes } = {}) {
  const entry = {
    canonicalizedBody: leaf,
    inclusionProof: { checkpoint: { envelope: text }, logIndex: index, hashes: path },
  };
  verifyMerkleInclusion(entry, verifyCheckpoint(entry, logs));
}

accepts('checkpoint_and_inclusion', () => included());
refuses('checkpoint_with_another_text', () => included({ text: note.replace('600', '601') }));
refuses('inclusion_of_another_leaf', () => included({ leaf: flip(read('leaf'), 50) }));
refuses('inclusion_at_another_place', () => included({ index: '301' }));
refuses('inclusion_with_another_step', () => included({ path: [flip(hashes[0], 0), ...hashes.slice(1)] }));
refuses('inclusion_with_a_step_too_few', () => included({ path: hashes.slice(1) }));

const envelope = JSON.parse(read('records.jsonl').toString().split('\n')[300]);
const payload = Buffer.from(envelope.payload, 'base64');
const writer = ed25519(read('writer.pub'));
const signature = Buffer.from(envelope.signatures[0].sig, 'base64');
const signed = (bytes) => verifySignature(null, dsse.preAuthEncoding(envelope.payloadType, bytes), writer, signature);
accepts('envelope', () => signed(payload));
refuses('envelope_with_another_payload', () => signed(flip(payload, 3)));
accepts('leaf_commits_to_the_envelope', () => {
  const digest = createHash('sha256').update(dsse.preAuthEncoding(envelope.payloadType, payload)).digest();
  return read('leaf').subarray(10, 42).equals(digest);
});
process.exit(failed ? 1 : 0);
