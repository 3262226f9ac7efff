<?php
// What Apache's rewriting does in the package's site file, for the web server that PHP brings along.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (str_starts_with($path, '/.well-known/')) {
    $path = '/caldav.php' . $path;
    $_SERVER['REQUEST_URI'] = $path;
}
if (!str_starts_with($path, '/caldav.php')) {
    return false;
}
$_SERVER['SCRIPT_NAME'] = '/caldav.php';
$_SERVER['PHP_SELF'] = $path;
$_SERVER['PATH_INFO'] = urldecode(substr($path, strlen('/caldav.php')));
$_SERVER['SCRIPT_FILENAME'] = $_SERVER['DOCUMENT_ROOT'] . '/caldav.php';
chdir($_SERVER['DOCUMENT_ROOT']);
require 'caldav.php';
