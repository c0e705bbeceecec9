#!/usr/bin/env node
// The console in a real browser: people, passkeys, votes, and those who would like to vote in their place.
//
//   node run.mjs [--screenshots FOLDER]      also keeps a picture of each page, light, dark and on a phone
//
// The gateway runs already: see ../README.md. Ends with `N passed, N failed`.
import { attacks } from './attacks.mjs';
import { proven, story, withoutScript } from './story.mjs';
import { byLogin } from './login.mjs';
import { everyPage } from './pages.mjs';
import { answers, steering } from './steering.mjs';
import { openBrowser, person, Tally } from './stage.mjs';

const folder = process.argv.includes('--screenshots') ? process.argv[process.argv.indexOf('--screenshots') + 1] : undefined;
const tally = new Tally();
const { browser, close } = await openBrowser();
// Whatever hangs, it ends.
const end = setTimeout(() => {
  console.error('the browser tests took longer than 15 minutes');
  browser.process()?.kill('SIGKILL');
  process.exit(1);
}, 900_000);

try {
  const people = {
    alice: await person(browser, 'alice', { passkeys: true }),
    carol: await person(browser, 'carol', { passkeys: true }),
    vera: await person(browser, 'vera'),
    bob: await person(browser, 'bob', { passkeys: true }),
  };
  const held = await story(tally, people);
  await proven(tally, held);
  await withoutScript(tally, browser, people);
  await byLogin(tally, browser, people);
  await answers(tally, people);
  await steering(tally, people);
  await everyPage(tally, people, folder);
  await attacks(tally, browser, people);
} catch (error) {
  await tally.check('the tests come to their end', () => {
    throw error;
  });
} finally {
  clearTimeout(end);
  await close();
}
tally.end();
