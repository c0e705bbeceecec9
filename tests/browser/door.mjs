// How people come in and go out: with the mouse and the keyboard, as they would.
import { admin, home } from './gateway.mjs';
import { code, until } from './stage.mjs';

const PASSWORD = 'four words at random';

/** Presses something that leads to another page, and waits for the whole of that: where the browser takes another
 * process for it, it is told of while it is still being read. */
export async function press(page, selector) {
  await page.waitForSelector(selector, { visible: true, timeout: 10_000 });
  const [answer] = await Promise.all([page.waitForNavigation({ waitUntil: 'load', timeout: 20_000 }), page.click(selector)]);
  await until('a whole page', () => page.evaluate(() => document.readyState === 'complete').catch(() => false));
  return answer;
}

/** Opens a page of the console; answers the response. */
export const open = (page, path) => page.goto(home + path, { waitUntil: 'load', timeout: 20_000 });

const plainly = (text) => text.replace(/\s+/g, ' ').trim();

/** The words of a part of the page; where there is no such part, says what stands there instead. */
export async function textOf(page, selector = 'main') {
  const [text, all] = await page.evaluate((part) => [document.querySelector(part)?.textContent, document.body.innerText], selector);
  if (text === undefined) throw new Error(`${page.url()} has no ${selector}: ${plainly(all).slice(0, 1000)}`);
  return plainly(text);
}

/** The cookie of a session, as a request carries it. */
export async function cookie({ context }) {
  const ours = (await context.cookies()).filter(({ name }) => name === 'remit');
  return ours.length === 1 ? `remit=${ours[0].value}` : undefined;
}

/** The link that invites somebody. */
export async function invitation(name) {
  const { invitation: link } = await admin(`people/${name}/invitations`, {});
  if (!link?.startsWith(`${home}/console/invitation/`)) throw new Error(`${name} was invited to ${link}`);
  return link;
}

/** With a password and the codes of an app. The person then has a `secret` and stands in the console. */
export async function acceptByPassword(person, look = async () => {}) {
  const { page, name } = person;
  await page.goto(await invitation(name), { waitUntil: 'load' });
  await look(person);
  person.secret = await textOf(page, 'dl.facts code');
  await page.type('#password', PASSWORD);
  await page.type('#again', PASSWORD);
  person.used = Date.now();
  await page.type('#code', code(person.secret, person.used));
  await press(page, 'form:has(#password) button.main');
}

/** With a passkey alone. The person then stands before the door. */
export async function acceptByPasskey({ page, name }) {
  await page.goto(await invitation(name), { waitUntil: 'load' });
  await page.type('#label', `${name}'s phone`);
  await press(page, '[data-passkey] button');
}

/** A code counts once, so this takes the next one, which is good already. Good for one sign-in in 30 seconds. */
export async function signInByPassword({ page, name }, secret, path = '/console/sign-in') {
  await open(page, path);
  await page.type('#name', name);
  await page.type('#password', PASSWORD);
  await page.type('#code', code(secret, Date.now() + 30_000));
  return press(page, 'form:has(#password) button.main');
}

export async function signInByPasskey({ page }, path = '/console/sign-in') {
  await open(page, path);
  return press(page, '[data-passkey=sign-in] button');
}

export async function addPasskey({ page, name }) {
  await open(page, '/console/account');
  await page.type('#label', `${name}'s laptop`);
  await press(page, '[data-passkey] button');
}

export const signOut = ({ page }) => press(page, '.person form button');

/** Opens a question and votes; answers what the page says of the votes then. */
export async function vote({ page }, question, { choice = 'approve', reason = '' } = {}) {
  await open(page, `/console/questions/${question}`);
  if (reason) await page.type('#reason', reason);
  await press(page, `button[name=choice][value=${choice}]`);
  return textOf(page, '#cast');
}

/** The question that waits for this tool, when there is one. */
export const asked = (tool, text) =>
  until(`a question about ${tool}`, async () => {
    const { questions } = await admin('questions');
    return questions.find((one) => one.tool === tool && one.state === 'open' && JSON.stringify(one.arguments).includes(text))?.question;
  });
