#!/usr/bin/env node
// Runs the official MCP conformance suite.
//
//   node run.mjs server [URL] [--plain]      URL, or GATEWAY_URL; --plain: expect every scored scenario to pass
//   node run.mjs client COMMAND...           the suite appends the URL of its own server to COMMAND
//
// Prints one line per scenario and ends with "N passed, N failed". The exceptions are in the YAML files beside
// this one; a failure that is not listed fails the run, and so does a listed one that passes.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const cache = join(here, '../../.cache');
const node = join(cache, 'bin/node');
const suite = join(cache, 'node/node_modules/@modelcontextprotocol/conformance');
if (!existsSync(node) || !existsSync(suite)) {
  console.error('the conformance suite is not installed: run tests/setup.sh');
  process.exit(1);
}

const REVISIONS = ['2025-11-25', '2026-07-28'];

// Client scenarios that concern a gateway's upstream side, and the revisions to run them under. The rest are
// OAuth or extensions.
const CLIENT_SCENARIOS = [
  ['initialize', '2025-11-25'],
  ['tools_call', '2025-11-25'],
  ['json-schema-2020-12-preservation', '2025-11-25'],
  ['elicitation-sep1034-client-defaults', '2025-11-25'],
  ['sse-retry', '2025-11-25'],
  ['tools_call', '2026-07-28'],
  ['request-metadata', '2026-07-28'],
  ['http-standard-headers', '2026-07-28'],
  ['http-custom-headers', '2026-07-28'],
  ['http-invalid-tool-headers', '2026-07-28'],
  ['json-schema-ref-no-deref', '2026-07-28'],
  ['json-schema-2020-12-preservation', '2026-07-28'],
  ['sep-2322-client-request-state', '2026-07-28'],
];

const tally = { passed: 0, failed: 0 };

// What the YAML files need of YAML: a list of names.
function exceptions(file) {
  const lines = readFileSync(join(here, file), 'utf8').split('\n');
  return new Set(lines.map((line) => /^\s+- ([^\s#]+)/.exec(line)?.[1]).filter(Boolean));
}

function lists(revision, leg) {
  const lines = readFileSync(join(suite, 'requirements', `${revision}.yaml`), 'utf8').split('\n');
  const found = [];
  let inside = false;
  for (const line of lines) {
    if (/^\S/.test(line) && !line.startsWith('#')) inside = line.startsWith(`${leg}:`);
    const name = /^ {2}- (\S+)$/.exec(line)?.[1];
    if (inside && name) found.push(name);
  }
  return new Set(found);
}

// The checks of each scenario, as the suite saved them.
function results(folder) {
  const found = new Map();
  for (const entry of existsSync(folder) ? readdirSync(folder, { recursive: true }) : []) {
    if (!String(entry).endsWith('checks.json')) continue;
    const name = /(?:server-)?(.*)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(join(String(entry), '..'))?.[1];
    found.set(name, JSON.parse(readFileSync(join(folder, String(entry)), 'utf8')));
  }
  return found;
}

// Scenario names that begin with "server-" lose it in the folder name only once.
function of(found, scenario) {
  return found.get(scenario) ?? found.get(scenario.replace(/^server-/, ''));
}

function report(scenario, checks, { scored, expected, rejected = false }) {
  const count = (status) => checks?.filter((c) => c.status === status).length ?? 0;
  const bad = checks?.filter((c) => c.status === 'FAILURE') ?? [];
  // Some scenarios only warn, even when nobody answers: without a single success nothing was shown.
  const broken = count('SUCCESS') === 0 || bad.length > 0 || rejected;
  const verdict = !scored ? (broken ? 'unscored, fails' : 'unscored, passes') : broken ? (expected ? 'expected failure' : 'FAILED') : expected ? 'STALE EXCEPTION' : 'passed';
  console.log(`${verdict.padEnd(17)} ${scenario.padEnd(46)} ${count('SUCCESS')} ok, ${bad.length} failed, ${count('WARNING')} warnings`);
  if (verdict === 'FAILED' && !checks) console.log('    no result: the scenario did not run');
  for (const check of verdict === 'FAILED' ? bad : []) console.log(`    ${check.id}: ${check.errorMessage ?? check.description}`);
  if (scored && !rejected) for (const check of checks ?? []) if (check.status === 'WARNING') console.log(`    warning ${check.id}: ${check.errorMessage ?? check.description}`);
  if (verdict === 'passed') tally.passed += 1;
  if (verdict === 'FAILED' || verdict === 'STALE EXCEPTION') tally.failed += 1;
}

function run(args) {
  return spawnSync(node, [join(suite, 'dist/index.js'), ...args], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

function serverMode(url, plain) {
  for (const revision of REVISIONS) {
    console.log(`\n# ${revision}, against ${url}`);
    const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
    const done = run(['server', '--url', url, '--requirements', revision, '-o', folder]);
    const found = results(folder);
    if (found.size === 0) console.log(done.stdout, done.stderr);
    const expected = plain ? new Set() : exceptions(`server-${revision}.yaml`);
    const scored = lists(revision, 'server');
    for (const name of expected) if (!scored.has(name)) (tally.failed += 1), console.log(`STALE EXCEPTION   ${name} is not a scored scenario`);
    for (const name of scored) report(name, of(found, name), { scored: true, expected: expected.has(name) });
    const extra = [...found.keys()].filter((name) => ![...scored].some((s) => s === name || s.replace(/^server-/, '') === name));
    for (const name of extra) report(name, found.get(name), { scored: false, expected: false });
    rmSync(folder, { recursive: true });
  }
}

function clientMode(command) {
  const expected = exceptions('client.yaml');
  for (const [scenario, revision] of CLIENT_SCENARIOS) {
    const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
    const done = run(['client', '--command', command, '--scenario', scenario, '--spec-version', revision, '-o', folder]);
    const checks = [...results(folder).values()][0];
    report(`${scenario} (${revision})`, checks, { scored: true, expected: expected.has(scenario), rejected: done.status !== 0 });
    if (done.status !== 0 && !expected.has(scenario)) console.log(done.stdout.split('\n').slice(-25).join('\n'), done.stderr.split('\n').slice(-10).join('\n'));
    rmSync(folder, { recursive: true });
  }
}

const [mode, ...rest] = process.argv.slice(2);
const words = rest.filter((word) => word !== '--plain');
if (mode === 'server' && (words[0] ?? process.env.GATEWAY_URL)) serverMode(words[0] ?? process.env.GATEWAY_URL, rest.includes('--plain'));
else if (mode === 'client' && words.length > 0) clientMode(words.join(' '));
else {
  console.error('usage: run.mjs server [URL] [--plain] | run.mjs client COMMAND...');
  process.exit(2);
}
console.log(`\n${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed === 0 && tally.passed > 0 ? 0 : 1);
