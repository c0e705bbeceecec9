// A browser with people in it: each has a context of their own, as on a machine of their own, and a virtual
// authenticator that keeps passkeys (WebAuthn, through the browser's debugging protocol).
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;
export const cache = join(here, '../../.cache');
const modules = join(cache, 'node-browser/');
const { default: puppeteer } = await import(createRequire(modules).resolve('puppeteer-core'));
const axe = readFileSync(createRequire(modules).resolve('axe-core/axe.min.js'), 'utf8');

/** Debian's browser, with a profile that ends with the tests. */
export async function openBrowser() {
  const profile = mkdtempSync(join(tmpdir(), 'remit-browser-'));
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    userDataDir: profile,
    // In a container there is no user namespace for the browser's sandbox. The pages are our own.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb', '--hide-scrollbars'],
    defaultViewport: { width: 1280, height: 900 },
  });
  return {
    browser,
    close: async () => {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Everything a page complained about: broken content policy, errors of scripts, failed requests of its own. */
export const complaints = [];

/** Watches a page from its first moment on. */
async function watch(page, who) {
  page.on('console', (said) => {
    // That the page itself is a refusal is what its test looks at.
    const refused = said.location().url === page.url() && said.text().startsWith('Failed to load resource');
    // What another party's pages lack is not ours. Its first words may come while the page still has our address.
    const theirs = process.env.OIDC_ISSUER && said.location().url?.startsWith(process.env.OIDC_ISSUER);
    if (said.type() === 'error' && !refused && !theirs) complaints.push(`${who} ${page.url()}: ${said.text()} ${said.location().url ?? ''}`);
  });
  page.on('pageerror', (error) => complaints.push(`${who} ${page.url()}: ${error.message}`));
  await page.evaluateOnNewDocument(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
}

/** A person with a browser of their own. */
export async function person(browser, name, { passkeys = false, script = true } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await watch(page, name);
  await page.setJavaScriptEnabled(script);
  let authenticator;
  if (passkeys) {
    const protocol = await page.createCDPSession();
    await protocol.send('WebAuthn.enable', { enableUI: false });
    const options = { protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
    authenticator = { protocol, ...(await protocol.send('WebAuthn.addVirtualAuthenticator', { options })) };
  }
  return { name, context, page, authenticator };
}

/** The code of this moment for a TOTP secret in base32 (RFC 6238: SHA-1, 30 s, six digits). */
export function code(secret, at = Date.now()) {
  const bits = [...secret.replace(/[\s=]/g, '').toUpperCase()].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const digest = createHmac('sha1', key).update(step).digest();
  const offset = digest[19] & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** What axe finds wrong with the page as it is, from `serious` on. */
export async function wrong(page) {
  // The page's own policy forbids foreign scripts, so the judge comes in through the debugging protocol.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  return grave.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.target.join(' ')).join(', ')}`);
}

/** Runs a program to its end. */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { timeout: 60_000, ...options });
    let [stdout, out] = ['', ''];
    child.stdout.on('data', (text) => ((stdout += text), (out += text)));
    child.stderr.on('data', (text) => (out += text));
    child.on('close', (status) => resolve({ status, stdout, out }));
    child.on('error', (error) => resolve({ status: -1, stdout, out: error.message }));
  });
}

/** Waits until something is so; what it answers is answered. */
export async function until(what, is, within = 10_000) {
  const end = Date.now() + within;
  for (;;) {
    const found = await is();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${within} ms`);
    await new Promise((go) => setTimeout(go, 25));
  }
}

/** Counts what passes and what fails, and goes on after a failure. */
export class Tally {
  passed = 0;
  failed = 0;

  async check(what, test) {
    try {
      const note = await test();
      this.passed += 1;
      console.log(`ok - ${what}${typeof note === 'string' ? ` (${note})` : ''}`);
      return true;
    } catch (error) {
      this.failed += 1;
      const told = String(error?.stack ?? error).split('\n').filter((line) => !line.includes('node_modules'));
      console.log(`not ok - ${what}\n    ${told.slice(0, 24).join('\n    ')}`);
      return false;
    }
  }

  end() {
    console.log(`\n${this.passed} passed, ${this.failed} failed`);
    process.exit(this.failed === 0 && this.passed > 0 ? 0 : 1);
  }
}
