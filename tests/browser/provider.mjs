// A provider of OpenID Connect that nobody here wrote (panva's oidc-provider), with its own pages for signing in: whoever
// types a name there has it.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cache } from './stage.mjs';
import { home } from './gateway.mjs';

const { OIDC_ISSUER, OIDC_SECRET } = process.env;

/** Opens it where the gateway was told to look for it. */
export async function openProvider() {
  const { default: Provider } = await import(createRequire(join(cache, 'node-oidc/')).resolve('oidc-provider'));
  const client = {
    client_id: 'remit',
    client_secret: OIDC_SECRET,
    redirect_uris: [`${home}/console/sign-in/oidc/callback`],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  };
  const provider = new Provider(OIDC_ISSUER, { clients: [client], cookies: { keys: ['a key of the tests'] } });
  const { port } = new URL(OIDC_ISSUER);
  const server = await new Promise((resolve, reject) => {
    const server = provider.listen(Number(port), '127.0.0.1', () => resolve(server)).on('error', reject);
  });
  return () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
}

/** At the provider: says who they are, or agrees to be vouched for. */
export async function atProvider(page, name) {
  if (await page.$('input[name=login]')) {
    await page.type('input[name=login]', name);
    await page.type('input[name=password]', 'anything');
  }
  if (await page.$('button[type=submit]')) {
    await Promise.all([page.waitForNavigation({ waitUntil: 'load', timeout: 20_000 }), page.click('button[type=submit]')]);
  }
}
