import { ForgeError } from '@tiny-forge/contracts/domain';
import type { SourceType, SourceTypePlugin } from './source-type.ts';
import type { VolumeScope, VolumeScopePlugin } from './volume-scope.ts';

export type Plugin = VolumeScopePlugin | SourceTypePlugin;

const API_VERSION = 1;

/** All plugins of an installation. Built once at start by listing; a duplicate id or unknown API version stops the start. */
export class PluginRegistry {
  readonly #scopes = new Map<string, { plugin: VolumeScopePlugin; instance: VolumeScope }>();
  readonly #sources = new Map<string, { plugin: SourceTypePlugin; instance: SourceType }>();

  constructor(plugins: readonly Plugin[]) {
    for (const plugin of plugins) {
      if ((plugin.apiVersion as number) !== API_VERSION) {
        throw new Error(
          `plugin ${plugin.kind} ${plugin.id} has API version ${String(plugin.apiVersion)}, this installation speaks ${API_VERSION}`,
        );
      }
      const taken = plugin.kind === 'volume-scope' ? this.#scopes.has(plugin.id) : this.#sources.has(plugin.id);
      if (taken) throw new Error(`two plugins of kind ${plugin.kind} have the id ${plugin.id}`);
      if (plugin.kind === 'volume-scope') this.#scopes.set(plugin.id, { plugin, instance: plugin.create() });
      else this.#sources.set(plugin.id, { plugin, instance: plugin.create() });
    }
  }

  get scopeIds(): readonly string[] {
    return [...this.#scopes.keys()];
  }

  get sourceTypeIds(): readonly string[] {
    return [...this.#sources.keys()];
  }

  /** @throws ForgeError UNKNOWN_SCOPE */
  scope(id: string): { readonly plugin: VolumeScopePlugin; readonly instance: VolumeScope } {
    const found = this.#scopes.get(id);
    if (!found) throw new ForgeError({ code: 'UNKNOWN_SCOPE', params: { scope: id, known: this.scopeIds.join(', ') } });
    return found;
  }

  /** @throws ForgeError UNKNOWN_SOURCE_TYPE */
  sourceType(id: string): { readonly plugin: SourceTypePlugin; readonly instance: SourceType } {
    const found = this.#sources.get(id);
    if (!found)
      throw new ForgeError({ code: 'UNKNOWN_SOURCE_TYPE', params: { type: id, known: this.sourceTypeIds.join(', ') } });
    return found;
  }
}
