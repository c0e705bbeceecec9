#!/usr/bin/env node
// Writes a gateway's configuration folder for a group of tests, with fresh keys.
//
//   node configure.mjs conformance|clients|servers|browser OUT [--listen 127.0.0.1:7420] [--fixture http://127.0.0.1:3900/mcp] [--issuer URL]
//
// OUT/config is the folder for `remit serve`; OUT/env is a shell file with what the gateway and the tests need
// in their environment; OUT/work holds what the servers work on. OUT must not exist yet.

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const cache = resolve(here, '../.cache');
const AGENTS = {
  conformance: [],
  clients: ['ts-v1', 'ts-v1-stdio', 'ts-v2-legacy', 'ts-v2-auto', 'python-auto', 'python-stdio', 'python-legacy', 'python-v1', 'fastmcp'],
  servers: ['tester'],
  browser: ['shop'],
};

const [group, target, ...rest] = process.argv.slice(2);
const option = (name, usual) => (rest.includes(`--${name}`) ? rest[rest.indexOf(`--${name}`) + 1] : usual);
if (!AGENTS[group] || !target) {
  console.error('usage: configure.mjs conformance|clients|servers|browser OUT [--listen ADDRESS] [--fixture URL]');
  process.exit(2);
}
const out = resolve(target);
const listen = option('listen', '127.0.0.1:7420');
const fixture = option('fixture', 'http://127.0.0.1:3900/mcp');
const issuer = option('issuer', 'http://127.0.0.1:1');
const fill = (text, agent) =>
  text
    .replaceAll('@AGENT@', agent)
    .replaceAll('@LISTEN@', listen)
    .replaceAll('@PORT@', listen.split(':').at(-1))
    .replaceAll('@FIXTURE_URL@', fixture)
    .replaceAll('@ISSUER@', issuer)
    .replaceAll('@CACHE@', cache)
    .replaceAll('@NODE@', join(cache, 'bin/node'))
    .replaceAll('@OUT@', out);

function copy(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) {
      copy(join(from, entry.name), join(to, entry.name));
      continue;
    }
    const text = readFileSync(join(from, entry.name), 'utf8');
    const agents = entry.name.includes('@AGENT@') ? AGENTS[group] : [''];
    for (const agent of agents) writeFileSync(join(to, fill(entry.name, agent)), fill(text, agent));
  }
}

mkdirSync(out);
copy(join(here, group, 'config'), join(out, 'config'));

const env = { GATEWAY_URL: `http://${listen}/mcp`, GATEWAY_ADMIN: `http://${listen}` };
if (group === 'clients' || group === 'browser') env.FIXTURE_CONTROL = fixture.replace(/\/mcp$/, '/control');
if (group === 'browser') {
  env.FOLDER = join(out, 'config');
  // The provider and the gateway share a secret, and the tests run the provider.
  env.OIDC_ISSUER = issuer;
  env.OIDC_SECRET = randomBytes(24).toString('base64url');
}

// Keys: only their digests go into the folder.
const sha256 = (key) => createHash('sha256').update(key).digest('hex');
const fresh = () => `rk_${randomBytes(24).toString('base64url')}`;
const lines = AGENTS[group].length > 0 ? ['agents:'] : [];
for (const agent of AGENTS[group]) {
  const key = fresh();
  env[group === 'clients' ? `GATEWAY_KEY_${agent.toUpperCase().replaceAll('-', '_')}` : 'GATEWAY_KEY'] = key;
  lines.push(`  - { id: ${agent}-test, agent: ${agent}, user: ada@acme.example, sha256: "${sha256(key)}", expires: 2030-01-01 }`);
}
// A host application, which opens runs for its users and says what they wanted.
if (group === 'browser') {
  env.HOST_KEY = fresh();
  lines.push(`  - { id: shop-host, agent: shop, may_declare: any, sha256: "${sha256(env.HOST_KEY)}", expires: 2030-01-01 }`);
}
env.ADMIN_KEY = fresh();
lines.push('operators:');
lines.push(`  - { id: bob, user: bob@acme.example, teams: [finance], roles: [${group === 'browser' ? 'security' : 'viewer, approver, operator, auditor'}], sha256: "${sha256(env.ADMIN_KEY)}", expires: 2030-01-01 }`);
// People who sign in by themselves, without a key.
if (group === 'browser') {
  for (const [name, roles] of [['alice', 'approver, operator'], ['carol', 'approver, security'], ['dana', 'approver'], ['vera', 'viewer']]) {
    const teams = name === 'vera' ? '' : ' teams: [finance],';
    lines.push(`  - { id: ${name}, user: ${name}@acme.example,${teams} roles: [${roles}] }`);
  }
}
writeFileSync(join(out, 'config/keys.yaml'), `${lines.join('\n')}\n`, { mode: 0o600 });

// What the servers work on.
if (group === 'servers') {
  const work = join(out, 'work');
  mkdirSync(join(work, 'files/scratch'), { recursive: true });
  mkdirSync(join(work, 'repo'));
  writeFileSync(join(work, 'files/readme.txt'), 'a file that nobody here wrote a server for\n');
  const git = (...words) => execFileSync('git', ['-C', join(work, 'repo'), '-c', 'user.name=Test', '-c', 'user.email=test@example.com', ...words]);
  git('init', '--quiet');
  git('config', 'user.name', 'Test');
  git('config', 'user.email', 'test@example.com');
  writeFileSync(join(work, 'repo/a.txt'), 'one\n');
  git('add', 'a.txt');
  git('commit', '--quiet', '-m', 'docs: begin');
  writeFileSync(join(work, 'repo/a.txt'), 'two\n');
  env.WORK = work;
  env.MEMORY_FILE_PATH = join(work, 'memory.jsonl');
}

writeFileSync(join(out, 'env'), Object.entries(env).map(([name, value]) => `export ${name}='${value}'\n`).join(''), { mode: 0o600 });
console.log(`configured ${group} in ${target}`);
