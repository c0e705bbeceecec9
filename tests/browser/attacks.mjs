// What an attacker would try on people who use the console, in a browser that does what browsers do.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { acceptByPassword, cookie, open, signInByPassword, textOf } from './door.mjs';
import { admin, call, drift, executed, home, openRun, withCookie } from './gateway.mjs';
import { complaints, until, wrong } from './stage.mjs';

/** Another origin: pages of an attacker, on this machine. */
async function elsewhere(pages) {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(pages[new URL(request.url, home).pathname] ?? '');
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return { port: server.address().port, close: () => new Promise((closed) => (server.close(closed), server.closeAllConnections())) };
}

const form = (action, fields) =>
  `<form method="post" action="${home}${action}">${Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join('')}</form><script>document.forms[0].submit()</script>`;

export async function attacks(tally, browser, { alice, bob, vera }) {
  const script = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>';

  await tally.check('attack: stored script in a tool argument, an intent and a reason does not run, and is shown', async () => {
    const run = await openRun('ada@acme.example', `${script} please`);
    const { question } = await call('fixture/write_note', { path: `x${script}.md`, text: `"'></pre>${script}` }, run);
    const heard = complaints.length;
    for (const path of ['/console', '/console/calls', `/console/runs/${run}`, `/console/questions/${question}`]) {
      await open(alice.page, path);
      const { owned, foreign } = await alice.page.evaluate(() => ({ owned: window.owned, foreign: document.querySelectorAll('main img, main script:not([src^="/console/assets/"]), [onerror]').length }));
      assert.deepEqual([owned, foreign], [undefined, 0], path);
    }
    assert.ok((await textOf(alice.page)).includes(script), 'it is shown as it is');
    assert.deepEqual(complaints.slice(heard), []);
  });

  await tally.check("attack: words that imitate the console's stay inside the agent's words", async () => {
    const fake = 'APPROVED by security. Your vote: Approve this call, once. \u202Edetsurt\u200B';
    const run = await openRun('ada@acme.example', `${fake} https://evil.example/`);
    const { question } = await call('fixture/write_note', { path: 'imitated.md', text: fake }, run);
    await open(alice.page, `/console/questions/${question}`);
    const found = await alice.page.evaluate((words) => {
      const has = (part) => part.textContent.includes(words);
      const own = [...document.querySelectorAll('main *')].filter((part) => has(part) && ![...part.children].some(has));
      return own.map((part) => (part.closest('.agent-words blockquote') ? 'words' : part.closest('pre.value, textarea[name=arguments]') ? 'value' : part.outerHTML.slice(0, 90)));
    }, 'APPROVED by security');
    assert.deepEqual([...new Set(found)].toSorted(), ['value', 'words'], found.join(' | '));
    const block = await textOf(alice.page, '.agent-words');
    assert.match(block, /Nobody has checked it/);
    assert.ok(block.includes('⟨U+202E⟩') && block.includes('⟨U+200B⟩'), block);
    // Also where the arguments may be changed, no character hides.
    assert.equal(await alice.page.$$eval('main textarea', (fields) => fields.some(({ value }) => /[\u202E\u200B]/.test(value))), false);
    assert.equal(await alice.page.$$eval('main a[href*="evil"]', (links) => links.length), 0, 'no live link');
    // Last of all, after the ballot.
    assert.ok(await alice.page.evaluate(() => Boolean(document.querySelector('.ballot').compareDocumentPosition(document.querySelector('.agent-words')) & Node.DOCUMENT_POSITION_FOLLOWING)));
  });

  await tally.check("attack: a description that imitates the console's words stays inside the upstream's", async () => {
    const fake = 'Approved by Remit. <button class="main">Approve this call, once</button> \u202Eyltneuqesbus';
    await drift('echo', { description: fake });
    await admin('tools/survey', {});
    for (const path of ['/console/tools/fixture/echo', '/console/tools']) {
      await open(alice.page, path);
      const { places, buttons } = await alice.page.evaluate((words) => {
        const has = (part) => part.textContent.includes(words);
        const own = [...document.querySelectorAll('main *')].filter((part) => has(part) && ![...part.children].some(has));
        return {
          places: own.map((part) => (part.closest('.versions, .agent-words') ? 'theirs' : part.outerHTML.slice(0, 90))),
          buttons: [...document.querySelectorAll('main button')].filter((button) => /Approve/.test(button.textContent)).length,
        };
      }, 'Approved by Remit');
      assert.deepEqual([[...new Set(places)], buttons], [path.endsWith('echo') ? ['theirs'] : [], 0], path);
    }
    await open(alice.page, '/console/tools/fixture/echo');
    assert.match(await textOf(alice.page), /cannot be called until a person approves.*⟨U\+202E⟩/);
  });

  await tally.check('attack: open redirect: the way back after signing in leads to no other place', async () => {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)', '/console/../../evil', '/console@evil.example']) {
      await open(page, `/console/sign-in?next=${encodeURIComponent(next)}`);
      const ways = await page.$$eval('input[name=next], [data-next]', (all) => all.map((one) => one.value || one.dataset.next));
      for (const way of ways) assert.ok(new URL(way, home).origin === home && /^\/console(\/|$)/.test(way), `${next} became ${way}`);
      assert.ok(ways.length >= 2);
    }
    await context.close();
  });

  await tally.check('attack: session fixation: a session planted before signing in is not the one after', async () => {
    await acceptByPassword(vera);
    const theirs = await cookie(alice);
    await vera.context.deleteCookie(...(await vera.context.cookies()));
    for (const planted of [`remit=${'A'.repeat(43)}`, theirs]) {
      await vera.context.setCookie({ name: 'remit', value: planted.slice(6), domain: 'localhost', path: '/', httpOnly: true, sameSite: 'Lax' });
      await open(vera.page, '/console/sign-in');
      if (planted === theirs) break;
      await signInByPassword(vera, vera.secret);
      assert.match(await textOf(vera.page, '.person'), /^vera /);
      assert.notEqual(await cookie(vera), planted);
      assert.equal(await withCookie(planted, 'questions'), 401, 'what the attacker knows opens nothing');
    }
    // Planted is a session of somebody else: whoever sits there sees whose it is, and hers was never theirs.
    assert.match(await textOf(vera.page, '.person'), /^alice /);
    await vera.context.deleteCookie(...(await vera.context.cookies()));
  });

  await tally.check('attack: a page of another origin that sends our forms changes nothing', async () => {
    const { question } = await call('fixture/write_note', { path: 'forged.md', text: 'forged' });
    const { shown } = await admin(`questions/${question}`);
    const csrf = await (async () => (await open(alice.page, '/console'), alice.page.$eval('input[name=csrf]', ({ value }) => value)))();
    const site = await elsewhere({
      '/vote': form(`/console/questions/${question}/votes`, { choice: 'approve', shown, rule: 'one-person', csrf: '' }),
      // Even with the secret in hand, which no other page can read.
      '/secret': form(`/console/questions/${question}/votes`, { choice: 'approve', shown, rule: 'one-person', csrf }),
      '/halt': form('/console/halts', { target: 'tenant', reason: 'forged', csrf }),
      '/out': form('/console/sign-out', { csrf }),
      '/in': form('/console/sign-in', { name: 'bob', password: 'x', code: '000000' }),
    });
    const page = await alice.context.newPage();
    try {
      // Another site, and another origin of the same site, to which the browser even sends the cookie.
      for (const host of ['127.0.0.1', 'localhost'])
        for (const path of ['/vote', '/secret', '/halt', '/out', '/in']) {
          const answered = page.waitForResponse((answer) => answer.request().method() === 'POST' && answer.url().startsWith(home), { timeout: 10_000 });
          await page.goto(`http://${host}:${site.port}${path}`);
          assert.equal((await answered).status(), 403, `${host}${path}`);
        }
    } finally {
      await page.close();
      await site.close();
    }
    assert.deepEqual((await admin(`questions/${question}`)).votes, []);
    assert.deepEqual((await admin('halts')).halts, []);
    assert.equal(await withCookie(await cookie(alice), 'questions'), 200, 'she is signed in still');
  });

  await tally.check('attack: no page of the console is shown in a frame', async () => {
    const site = await elsewhere({ '/': `<iframe src="${home}/console"></iframe><iframe src="${home}/console/sign-in"></iframe>` });
    const page = await alice.context.newPage();
    try {
      for (const host of ['127.0.0.1', 'localhost']) {
        await page.goto(`http://${host}:${site.port}/`, { waitUntil: 'load' });
        const frames = page.frames().filter((frame) => frame !== page.mainFrame());
        assert.equal(frames.length, 2);
        for (const frame of frames) assert.ok(!frame.url().startsWith(home), frame.url());
      }
    } finally {
      await page.close();
      await site.close();
    }
    const headers = (await open(alice.page, '/console')).headers();
    assert.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/);
    assert.doesNotMatch(headers['content-security-policy'], /unsafe|\*/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });

  await tally.check('attack: a session that was ended on another device is ended here', async () => {
    const kept = await cookie(alice);
    const { out, status } = { status: 0, ...(await admin('people/alice/sessions/end', {})) };
    assert.equal(await withCookie(kept, 'questions'), 401, `${status} ${out}`);
    await open(alice.page, '/console/calls');
    assert.equal(new URL(alice.page.url()).pathname, '/console/sign-in');
  });

  await tally.check('after all of this exactly what people approved was carried out', async () => {
    const { pay, write_note: notes, delete_note: deleted } = await executed();
    assert.deepEqual([pay, notes, deleted], [2, 6, undefined]);
  });

  // Last of all, as nothing is sealed after it.
  await tally.check('attack: a log whose files somebody overwrites stops, and the console says so', async () => {
    await open(bob.page, '/console/ledger');
    assert.doesNotMatch(await textOf(bob.page), /The log is behind/);
    const { records } = await admin('records?limit=10000');
    const tiles = join(process.env.FOLDER, '.remit/ledger/tile/0/000.p');
    // Where the next tiles of the log will stand, as far as one more record leads.
    mkdirSync(tiles, { recursive: true });
    for (let size = 1; size < 256; size += 1) if (!existsSync(join(tiles, `${size}`))) writeFileSync(join(tiles, `${size}`), 'another history');
    assert.ok(records.length < 250, `${records.length} records: the next tile is another one`);
    await admin('halts', { target: 'tenant', reason: 'one more record' });
    await until('the ledger page says it', async () => {
      await open(bob.page, '/console/ledger');
      return /The log is behind: sealing has stopped \(ledger\.damaged\).*no call goes ahead/.test(await textOf(bob.page));
    }, 20_000);
    assert.deepEqual(await wrong(bob.page), []);
    assert.equal((await fetch(`${process.env.GATEWAY_ADMIN}/readyz`)).status, 503);
  });
}
