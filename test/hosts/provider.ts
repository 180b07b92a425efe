/** Vitest's tests in the browsers of this folder. */
import { defineBrowserProvider } from "@vitest/browser";
import type { BrowserProvider, BrowserProviderOption, TestProject } from "vitest/node";
import { type Browser, type BrowserName, BROWSERS, launch } from "./browser.js";

/** Vitest calls a browser by its name in lower case. */
export const instanceOf = (name: BrowserName): string => name.toLowerCase();

export const hosts = (): BrowserProviderOption =>
  defineBrowserProvider({
    name: "hosts",
    supportedBrowser: BROWSERS.map(instanceOf),
    providerFactory: ({ config }: TestProject): BrowserProvider => {
      const name = BROWSERS.find((each) => instanceOf(each) === config.browser.name)!;
      let launched: Promise<Browser> | undefined;
      return {
        name: "hosts",
        supportsParallelism: false,
        getCommandsContext: () => ({}),
        openPage: async (_sessionId, url) => {
          launched ??= launch(name);
          const page = await (await launched).newPage();
          await page.goto(url);
        },
        close: async () => (await launched)?.close(),
      };
    },
  });
