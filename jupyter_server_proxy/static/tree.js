// Entries in the "New" menu above the files of the classic Notebook (nbclassic), which loads this with RequireJS as it is:
// nothing translates it for old browsers.

define(["base/js/namespace", "base/js/utils"], function (Jupyter, utils) {
    "use strict";

    // The entries to show of what servers-info tells.
    function entriesOf(infos) {
        var entries = [];
        infos.forEach(function (info) {
            (info.launcher_entries || [info.launcher_entry]).forEach(function (entry) {
                if (entry.enabled) {
                    entries.push(entry);
                }
            });
        });
        return entries;
    }

    // Only by properties and textContent: titles are no HTML.
    function makeItem(entry, baseUrl) {
        var link = document.createElement("a");
        link.setAttribute("role", "menuitem");
        link.tabIndex = -1;
        link.href = baseUrl + entry.path_info.replace(/^\/+/, "");
        link.target = Jupyter._target || "_blank";
        link.rel = "noopener";
        link.textContent = entry.title;
        var item = document.createElement("li");
        item.setAttribute("role", "none");
        item.className = "server-proxy-entry";
        item.appendChild(link);
        return item;
    }

    function makeHeading(className, role, text) {
        var item = document.createElement("li");
        item.className = className;
        item.setAttribute("role", role);
        item.textContent = text;
        return item;
    }

    function show(infos, baseUrl) {
        var menu = document.getElementById("new-menu");
        var entries = entriesOf(infos);
        if (!menu || !entries.length) {
            return;
        }
        menu.appendChild(makeHeading("divider", "presentation", ""));
        menu.appendChild(makeHeading("dropdown-header", "presentation", "Servers:"));
        entries.forEach(function (entry) {
            menu.appendChild(makeItem(entry, baseUrl));
        });
    }

    function load_ipython_extension() {
        var baseUrl = Jupyter.notebook_list ? Jupyter.notebook_list.base_url : utils.get_body_data("baseUrl");
        return utils.promising_ajax(baseUrl + "server-proxy/servers-info", { dataType: "json", cache: false }).then(
            function (answer) {
                show(answer.server_processes, baseUrl);
            },
            function (reason) {
                console.error("The servers of server-proxy cannot be listed", reason);
            }
        );
    }

    return { load_ipython_extension: load_ipython_extension };
});
