#!/bin/sh
# add-tables.sh MSI: what the installer needs and wixl 0.101 has no element for.
#   Environment        the program folder joins the system's PATH, and leaves it again
#   LaunchCondition    64-bit Windows from 10 and Server 2016 on, which WINDOWSMAJOR (shadowpipe.wxs) shows
# and one place in the sequence: the old version is removed right after InstallValidate. wixl sometimes puts that at the
# end, where the new version has stopped the service before the old one could hand it over.
set -eu
msi=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
query() { msibuild "$msi" -q "$1"; }

msibuild "$msi" -i "$here/environment.idt"
query "INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Sequence\`) VALUES ('RemoveEnvironmentStrings', 3300)"
query "INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Sequence\`) VALUES ('WriteEnvironmentStrings', 5200)"
query "UPDATE \`InstallExecuteSequence\` SET \`Sequence\` = 1401 WHERE \`Action\` = 'RemoveExistingProducts'"
query "INSERT INTO \`LaunchCondition\` (\`Condition\`, \`Description\`) VALUES ('Installed OR (VersionNT64 AND WINDOWSMAJOR)', 'Shadowpipe needs 64-bit Windows 10, Windows Server 2016 or later.')"
