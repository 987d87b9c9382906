/** Stands in for SvelteKit's navigation; tests read where the page went. */
export const visited: { readonly path: string; readonly replace: boolean }[] = [];

export async function goto(path: string, options: { replace?: boolean } = {}): Promise<void> {
  visited.push({ path, replace: options.replace ?? false });
}
export const afterNavigate = (): void => undefined;
