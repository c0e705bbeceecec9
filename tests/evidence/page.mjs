// The verifier as a page must say the same as the program: of every bundle, check by check.
//   node page.mjs PAGE BUNDLES REMIT-VERIFY
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { complaints, openBrowser, person, run, until, wrong } from '../browser/stage.mjs';

const [file, folder, program] = process.argv.slice(2);
const check = (what, good, more = '') => console.log(good ? `ok ${what}` : `FAILED ${what} ${more}`);

const { browser, close } = await openBrowser();
try {
  const { page } = await person(browser, 'auditor');
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  const url = pathToFileURL(file).href;
  await page.goto(url);

  async function judged(name, pin = '') {
    const before = await page.$eval('#verdict', (found) => found.textContent);
    await page.$eval('#verdict', (found) => (found.textContent = ''));
    await (await page.$('#bundle')).uploadFile(join(folder, `${name}.evidence.json`));
    await (await page.$('#trust')).uploadFile(join(folder, `${name}.trust.json`));
    await page.$eval('#pin', (input, pin) => (input.value = pin), pin);
    await page.click('button');
    await until(`a verdict on ${name} after ${before}`, () => page.$eval('#verdict', (found) => found.textContent));
    return page.evaluate(() => ({
      verdict: document.getElementById('verdict').textContent,
      under: document.getElementById('under').textContent,
      checks: [...document.querySelectorAll('#checks tbody tr')].map((row) => [...row.cells].slice(0, 3).map((cell) => cell.textContent)),
    }));
  }

  const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
  for (const { name } of cases) {
    const told = await run(program, [join(folder, `${name}.evidence.json`), '--trust', join(folder, `${name}.trust.json`), '--json']);
    const shown = await judged(name);
    let wanted;
    try {
      wanted = JSON.parse(told.out);
    } catch {
      check(name, shown.verdict === 'NOT JUDGED', `the program said ${told.out}, the page ${shown.verdict}`);
      continue;
    }
    const checks = wanted.checks.map(({ check, claim, outcome }) => [outcome, check, claim === null ? 'bundle' : `claim ${claim}`]);
    const same = shown.verdict === wanted.verdict && JSON.stringify(shown.checks) === JSON.stringify(checks);
    check(name, same, `the program said ${wanted.verdict}, the page ${shown.verdict}`);
  }

  const good = cases.find(({ verdict }) => verdict === 'VALID').name;
  const { under } = await judged(good);
  const fingerprint = /[0-9a-f]{64}/.exec(under)[0];
  check('the fingerprint that is given is the one that counts', (await judged(good, fingerprint)).under.includes('the one you gave'));
  check('another fingerprint is not judged under', (await judged(good, '0'.repeat(64))).verdict === 'NOT JUDGED');
  check('axe finds nothing serious', (await wrong(page)).length === 0);
  check('it asked nobody', asked.every((asked) => asked === url || asked.startsWith('blob:')), asked.join(' '));
  check('nothing complained', complaints.length === 0, complaints.join('; '));
} finally {
  await close();
}
