/** How the page is reached, which decides where the API is and who may ask. */
export interface Way {
  /** Where the API's paths begin, "v1" included, without a slash at the end. */
  api: string;
  /**
   * direct: the manager itself. aggregated: through the API server, which has
   * told who is calling. proxy: through the Service proxy, which tells nobody.
   */
  kind: 'direct' | 'aggregated' | 'proxy';
}

/** The way of a page at this path. */
export function wayOf(pathname: string): Way {
  const aggregated = /^(.*\/apis\/api\.freehold\.net\/v1)\/ui(\/|$)/.exec(pathname);
  if (aggregated) return { api: aggregated[1]!, kind: 'aggregated' };

  const folder = pathname.slice(0, pathname.lastIndexOf('/') + 1);
  const proxied = /\/api\/v1\/namespaces\/[^/]+\/services\/[^/]+\/proxy\//.test(folder);

  return { api: `${folder}v1`, kind: proxied ? 'proxy' : 'direct' };
}
