# crawl.py - what many coroutines find, in one store: asyncio
# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio

from dictsqlite_v4 import AsyncDictSQLite


async def fetch(number: int) -> str:
    await asyncio.sleep(0.01)  # stands for a request
    return f"page {number}"


async def visit(pages: AsyncDictSQLite, number: int) -> None:
    url = f"https://example.org/{number}"
    if not await pages.contains_async(url):
        await pages.set_async(url, await fetch(number))


async def main() -> None:
    async with await AsyncDictSQLite.open("pages.db", persist_mode="lazy") as pages:
        await asyncio.gather(*(visit(pages, number) for number in range(100)))
        print(await pages.len_async(), "pages,", await pages.get_async("https://example.org/7"))


asyncio.run(main())
