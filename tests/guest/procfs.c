/* /proc as ordinary programs read it. */
#include "check.h"
#include <dirent.h>

static char text[65536];

static void self_is_this_process(void)
{
    char link[64], number[16];
    ssize_t length = readlink("/proc/self", link, sizeof link);
    CHECK(length > 0);
    snprintf(number, sizeof number, "%d", (int)getpid());
    CHECK((size_t)length == strlen(number) && memcmp(link, number, (size_t)length) == 0);
    CHECK_ERRNO(access("/proc/2147483000", F_OK), ENOENT);
}

static void exe_is_the_program(void)
{
    char path[PATH_MAX];
    struct stat by_link, by_path;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    CHECK(length > 0 && path[0] == '/');
    path[length] = '\0';
    CHECK(strcmp(strrchr(path, '/'), "/procfs") == 0);
    CHECK(stat("/proc/self/exe", &by_link) == 0 && stat(path, &by_path) == 0);
    CHECK(by_link.st_ino == by_path.st_ino && by_link.st_dev == by_path.st_dev);
    int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(fd >= 0 && read(fd, path, 4) == 4 && memcmp(path, "\177ELF", 4) == 0);
}

static void cwd_is_the_current_directory(void)
{
    char link[PATH_MAX], here[PATH_MAX];
    enter_scratch();
    ssize_t length = readlink("/proc/self/cwd", link, sizeof link - 1);
    CHECK(length > 0);
    link[length] = '\0';
    CHECK(getcwd(here, sizeof here) && strcmp(link, here) == 0);
}

static const char *path_of(int fd)
{
    static char link[PATH_MAX];
    char name[32];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, link, sizeof link - 1);
    CHECK(length > 0);
    link[length] = '\0';
    return link;
}

static void fd_lists_the_open_descriptors(void)
{
    char name[32], byte;
    enter_scratch();
    int fd = open("file", O_RDWR | O_CREAT, 0600), found = 0;
    CHECK(fd >= 0 && write(fd, "x", 1) == 1);
    const char *path = path_of(fd);
    CHECK(strlen(path) > 5 && strcmp(path + strlen(path) - 5, "/file") == 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int again = open(name, O_RDONLY);
    CHECK(again >= 0 && read(again, &byte, 1) == 1 && byte == 'x');
    snprintf(name, sizeof name, "%d", fd);
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir);
    struct dirent *entry;
    while ((entry = readdir(dir)))
        found += strcmp(entry->d_name, name) == 0;
    CHECK(found == 1);
    closedir(dir);
    CHECK(access("/dev/fd/0", F_OK) == 0 || errno == ENOENT);
    CHECK_ERRNO(access("/proc/self/fd/999", F_OK), ENOENT);
}

static void a_descriptor_tells_the_path_that_its_file_has_now(void)
{
    char start[PATH_MAX], expected[PATH_MAX + 16];
    enter_scratch();
    CHECK(getcwd(start, sizeof start));
    CHECK(mkdir("old", 0755) == 0);
    int fd = open("old/file", O_CREAT | O_WRONLY, 0644);
    CHECK(fd >= 0 && rename("old/file", "old/moved") == 0);
    snprintf(expected, sizeof expected, "%s/old/moved", start);
    CHECK(strcmp(path_of(fd), expected) == 0);
    CHECK(rename("old", "new") == 0);
    snprintf(expected, sizeof expected, "%s/new/moved", start);
    CHECK(strcmp(path_of(fd), expected) == 0);
    int other = open("new/old", O_CREAT | O_WRONLY, 0644);
    CHECK(other >= 0 && strcmp(path_of(fd), expected) == 0);
}

static void cmdline_holds_the_arguments(void)
{
    size_t length = read_file("/proc/self/cmdline", text, sizeof text);
    CHECK(length > 0 && text[length - 1] == '\0');
    CHECK(strcmp(text + strlen(text) - 6, "procfs") == 0);
}

static void maps_covers_code_heap_and_stack(void)
{
    static int data;
    int stack, code = 0, written = 0, on_stack = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    while (fgets(text, sizeof text, maps)) {
        unsigned long first, end;
        char mode[5];
        CHECK(sscanf(text, "%lx-%lx %4s", &first, &end, mode) == 3 && first < end);
        CHECK(!(mode[1] == 'w' && mode[2] == 'x'));
        unsigned long function = (unsigned long)&read_file;
        code += function >= first && function < end && strncmp(mode, "r-x", 3) == 0;
        written += (unsigned long)&data >= first && (unsigned long)&data < end && mode[1] == 'w';
        on_stack += (unsigned long)&stack >= first && (unsigned long)&stack < end && mode[1] == 'w';
    }
    fclose(maps);
    CHECK(code == 1 && written == 1 && on_stack == 1);
}

static void stat_and_status_tell_the_same(void)
{
    int pid, parent, group, session;
    char state, name[32];
    read_file("/proc/self/stat", text, sizeof text);
    CHECK(sscanf(text, "%d (%31[^)]) %c %d %d %d", &pid, name, &state, &parent, &group, &session) == 6);
    CHECK(pid == getpid() && parent == getppid() && group == getpgrp() && session == getsid(0));
    CHECK(strcmp(name, "procfs") == 0 && state == 'R');
    read_file("/proc/self/status", text, sizeof text);
    CHECK(strncmp(text, "Name:\tprocfs\n", 13) == 0);
    char *line = strstr(text, "\nPid:\t");
    CHECK(line && atoi(line + 6) == getpid());
    line = strstr(text, "\nPPid:\t");
    CHECK(line && atoi(line + 7) == getppid());
    line = strstr(text, "\nUid:\t");
    CHECK(line && atoi(line + 6) == (int)getuid());
}

static void every_process_has_a_directory(void)
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    char name[32];
    int found = 0;
    snprintf(name, sizeof name, "%d", (int)child);
    DIR *dir = opendir("/proc");
    CHECK(dir);
    struct dirent *entry;
    while ((entry = readdir(dir)))
        found += strcmp(entry->d_name, name) == 0;
    closedir(dir);
    CHECK(found == 1);
    snprintf(name, sizeof name, "/proc/%d/stat", (int)child);
    CHECK(read_file(name, text, sizeof text) > 10 && atoi(text) == child);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK_ERRNO(open(name, O_RDONLY), ENOENT);
}

static void the_files_that_top_and_free_read_are_there(void)
{
    double up, idle;
    unsigned long total = 0, free_kb = 0;
    read_file("/proc/uptime", text, sizeof text);
    CHECK(sscanf(text, "%lf %lf", &up, &idle) == 2 && up > 0);
    read_file("/proc/meminfo", text, sizeof text);
    CHECK(sscanf(text, "MemTotal: %lu kB", &total) == 1 && total > 1000);
    char *line = strstr(text, "\nMemFree:");
    CHECK(line && sscanf(line, "\nMemFree: %lu kB", &free_kb) == 1 && free_kb < total);
    read_file("/proc/stat", text, sizeof text);
    CHECK(strncmp(text, "cpu  ", 5) == 0 && strstr(text, "\nbtime "));
    read_file("/proc/loadavg", text, sizeof text);
    CHECK(sscanf(text, "%lf", &up) == 1);
    read_file("/proc/mounts", text, sizeof text);
    CHECK(strstr(text, " / "));
}

static const struct test tests[] = {
    TEST(self_is_this_process),
    TEST(exe_is_the_program),
    TEST(cwd_is_the_current_directory),
    TEST(fd_lists_the_open_descriptors),
    TEST(a_descriptor_tells_the_path_that_its_file_has_now),
    TEST(cmdline_holds_the_arguments),
    TEST(maps_covers_code_heap_and_stack),
    TEST(stat_and_status_tell_the_same),
    TEST(every_process_has_a_directory),
    TEST(the_files_that_top_and_free_read_are_there),
};

RUN(tests)
